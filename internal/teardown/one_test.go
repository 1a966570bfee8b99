package teardown

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// world answers for an account with the stacks of local: its network, and the application orders.
type world struct {
	protectedStack, protectedDatabase, imported, deleted bool
	calls                                                []string
}

const ordersTemplate = `{"Outputs": {}, "Resources": {
	"DB": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot", "Properties": {}},
	"Files": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}},
	"User": {"Type": "Custom::DatabaseUser", "DeletionPolicy": "Delete", "Properties": {"Instance": "local-shared-mysql", "Database": "orders1", "OnDelete": "keep"}},
	"Secret": {"Type": "AWS::SecretsManager::Secret", "DeletionPolicy": "Delete", "Properties": {}}}}`

func (w *world) stack(name, status string) string {
	return fmt.Sprintf(`<member><StackName>%[1]s</StackName><StackId>id/%[1]s</StackId><StackStatus>%[2]s</StackStatus>
		<CreationTime>2026-01-01T00:00:00Z</CreationTime><EnableTerminationProtection>%[3]t</EnableTerminationProtection>
		<Outputs><member><OutputKey>A</OutputKey><OutputValue>a</OutputValue><ExportName>%[1]s:A</ExportName></member></Outputs>
		<Tags><member><Key>environment</Key><Value>local</Value></member></Tags></member>`, name, status, w.protectedStack)
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListSecrets") {
		out.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(out, `{"SecretList": [{"ARN": "secret", "Name": "/local/orders/database"}, {"ARN": "b", "Name": "/local/orders/by-hand"}]}`)
		return
	}
	action := r.FormValue("Action")
	answer := func(text string) {
		_, _ = fmt.Fprintf(out, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, text)
	}
	switch action {
	case "GetCallerIdentity":
		answer("<Account>000000000000</Account>")
	case "DescribeStacks":
		status := "UPDATE_COMPLETE"
		if w.deleted {
			status = "DELETE_COMPLETE"
		}
		all := w.stack("local-orders", status)
		if r.FormValue("StackName") == "" {
			all += w.stack("local-network", "UPDATE_COMPLETE")
		}
		answer("<Stacks>" + all + "</Stacks>")
	case "GetTemplate":
		answer("<TemplateBody>" + ordersTemplate + "</TemplateBody>")
	case "ListStackResources":
		text := ""
		for id, kind := range map[string]string{"DB": "AWS::RDS::DBInstance", "Files": "AWS::S3::Bucket", "Secret": "AWS::SecretsManager::Secret", "User": "Custom::DatabaseUser"} {
			text += fmt.Sprintf("<member><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>", id, strings.ToLower(id), kind)
		}
		answer("<StackResourceSummaries>" + text + "</StackResourceSummaries>")
	case "ListImports":
		if !w.imported {
			out.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(out, "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Export 'local-orders:A' is not imported by any stack.</Message></Error></ErrorResponse>")
			return
		}
		answer("<Imports><member>local-billing</member></Imports>")
	case "DescribeDBInstances":
		answer(fmt.Sprintf("<DBInstances><DBInstance><DBInstanceIdentifier>db</DBInstanceIdentifier><DeletionProtection>%t</DeletionProtection></DBInstance></DBInstances>", w.protectedDatabase))
	case "DescribeDBSnapshots":
		answer("<DBSnapshots></DBSnapshots>")
	default:
		w.calls = append(w.calls, action+" "+r.FormValue("StackName"))
		w.deleted = action == "DeleteStack"
		answer("")
	}
}

// One stack goes and nothing beside it: what is kept is named, the secrets of others are not.
func TestOneStack(t *testing.T) {
	w := &world{}
	api := httptest.NewServer(w)
	defer api.Close()
	td := teardown(api.URL)
	td.Env.DeletionProtection = true // the environment's own does not forbid it
	plan, err := td.PlanStack(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, k := range plan.Kept {
		kept = append(kept, k.What)
	}
	slices.Sort(kept)
	want := []string{"AWS::S3::Bucket files", "a last snapshot of AWS::RDS::DBInstance db", "database orders1 on local-shared-mysql", "secret /local/orders/by-hand"}
	if !slices.Equal(kept, want) || len(plan.Stacks) != 1 || len(w.calls) != 0 {
		t.Errorf("keeps %q of %d stacks, want %q of 1; calls %v", kept, len(plan.Stacks), want, w.calls)
	}
	report, err := td.RemoveStack(t.Context(), plan)
	if err != nil || !slices.Equal(w.calls, []string{"DeleteStack id/local-orders"}) {
		t.Errorf("%v, calls %v, must delete the one stack", err, w.calls)
	}
	if len(report.Items) != 5 || report.Items[0] != (Item{Result: Removed, What: "stack local-orders"}) {
		t.Errorf("report %+v", report.Items)
	}
}

func TestOneStackRefused(t *testing.T) {
	for name, c := range map[string]struct {
		world       world
		application string
		want        string
	}{
		"no such stack":        {world{}, "order", `local has no stack local-order: did you mean "orders"?`},
		"the platform's":       {world{}, "network", "stack local-network is no application's: it goes with its environment"},
		"a protected stack":    {world{protectedStack: true}, "orders", "--no-enable-termination-protection --stack-name local-orders"},
		"a protected database": {world{protectedDatabase: true}, "orders", "--no-deletion-protection --apply-immediately --db-instance-identifier db"},
		"an export in use":     {world{imported: true}, "orders", "exports local-orders:A, which local-billing imports"},
	} {
		api := httptest.NewServer(&c.world)
		if _, err := teardown(api.URL).PlanStack(t.Context(), c.application); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if len(c.world.calls) > 0 {
			t.Errorf("%s: calls %v", name, c.world.calls)
		}
		api.Close()
	}
}

// What services share goes after all of them, whichever was made first, and before the network; it can go alone.
func TestOrder(t *testing.T) {
	var last int
	for i, name := range []string{"delivery", "cluster", "orders", "shared-postgres", "network"} {
		s := Stack{Name: "local-" + name, environment: "local"}
		if s.rank() <= last && i > 0 {
			t.Errorf("%s has the rank %d, after %d", name, s.rank(), last)
		}
		last = s.rank()
		if want := i == 2 || i == 3; s.alone() != want {
			t.Errorf("%s goes alone: %t", name, s.alone())
		}
	}
}
