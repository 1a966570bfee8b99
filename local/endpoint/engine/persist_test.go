package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

func TestStateSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	w.deploy("s", template("1", "b"))
	events := len(w.events("s"))
	w.engine.Close()
	w.start()
	if st := w.stack("s"); st.StackStatus != types.StackStatusCreateComplete || len(st.Outputs) != 1 || len(w.events("s")) != events {
		t.Errorf("%+v", st)
	}
	cs, err := w.changeSet("s", template("1", "b"), types.ChangeSetTypeUpdate)
	if err != nil || cs.Status != types.ChangeSetStatusFailed {
		t.Errorf("a difference after a restart: %+v %v", cs, err)
	}
}

const blocking = `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "NEW"}}, "B": {"Type": "Test::A::Block", "DependsOn": "A", "Properties": {"Name": "NEW"}}, "C": {"Type": "Test::A::Thing", "DependsOn": "B", "Properties": {"Fail": "FAIL"}}}}`

// interrupt stops the engine while B is being made, as a kill would, and
// starts it again.
func (w *world) interrupt(template string) {
	w.t.Helper()
	w.mu.Lock()
	w.block = make(chan struct{})
	w.mu.Unlock()
	w.execute("s", template)
	for {
		w.mu.Lock()
		calls := strings.Join(w.log, ", ")
		w.mu.Unlock()
		if strings.Contains(calls, "A") {
			break
		}
	}
	w.engine.Close()
	w.mu.Lock()
	w.block = nil
	w.mu.Unlock()
	w.start()
	w.engine.Wait()
}

func TestInterruptedOperationsGoOn(t *testing.T) {
	fill := func(value, fail string) string {
		return strings.NewReplacer("NEW", value, "FAIL", fail).Replace(blocking)
	}
	t.Run("create", func(t *testing.T) {
		w := newWorld(t)
		w.interrupt(fill("1", ""))
		if st := w.stack("s"); st.StackStatus != types.StackStatusCreateComplete || len(w.ids()) != 3 {
			t.Errorf("%s %v", st.StackStatus, w.ids())
		}
	})
	t.Run("create that fails", func(t *testing.T) {
		w := newWorld(t)
		w.interrupt(fill("1", "create"))
		if st := w.stack("s"); st.StackStatus != types.StackStatusRollbackComplete || len(w.ids()) != 0 {
			t.Errorf("%s %v", st.StackStatus, w.ids())
		}
	})
	t.Run("update", func(t *testing.T) {
		w := newWorld(t)
		w.deploy("s", fill("1", ""))
		w.calls()
		w.interrupt(fill("2", ""))
		if st := w.stack("s"); st.StackStatus != types.StackStatusUpdateComplete || w.things["2"] == nil || w.things["1"] != nil {
			t.Errorf("%s %v", st.StackStatus, w.ids())
		}
	})
	t.Run("update that fails", func(t *testing.T) {
		w := newWorld(t)
		w.deploy("s", fill("1", ""))
		w.calls()
		w.interrupt(fill("2", "update"))
		if st := w.stack("s"); st.StackStatus != types.StackStatusUpdateRollbackComplete || w.things["1"] == nil || w.things["2"] != nil {
			t.Errorf("%s %v", st.StackStatus, w.ids())
		}
		if st := w.deploy("s", fill("3", "")); st.StackStatus != types.StackStatusUpdateComplete {
			t.Error(st.StackStatus)
		}
	})
}

// What a service did before the engine died is not done twice, and nothing is left over.
func TestKilledBeforeTheResultWasSaved(t *testing.T) {
	of := func(name, value, fail string) string {
		return strings.NewReplacer("NAME", name, "VALUE", value, "FAIL", fail).Replace(`{"Resources": {
			"A": {"Type": "Test::A::Thing", "Properties": {"Name": "a", "Value": "VALUE"}},
			"B": {"Type": "Test::A::Named", "DependsOn": "A", "Properties": {"Name": "NAME", "Value": "VALUE"}},
			"C": {"Type": "Test::A::Thing", "DependsOn": "B", "Properties": {"Name": "c", "Fail": "FAIL"}}}}`)
	}
	for name, c := range map[string]struct {
		first, then, at string
		want            types.StackStatus
		things          string
	}{
		"creation":                  {"", of("b", "1", ""), "create B", types.StackStatusCreateComplete, "a b c"},
		"creation that fails later": {"", of("b", "1", "create"), "create B", types.StackStatusRollbackComplete, ""},
		"its removal":               {"", of("b", "1", "create"), "delete B", types.StackStatusRollbackComplete, ""},
		"update":                    {of("b", "1", ""), of("b", "2", ""), "update B", types.StackStatusUpdateComplete, "a b c"},
		"replacement":               {of("b", "1", ""), of("new", "1", ""), "create B", types.StackStatusUpdateComplete, "a c new"},
		"removal of the replaced":   {of("b", "1", ""), of("new", "1", ""), "delete B", types.StackStatusUpdateComplete, "a c new"},
		"replacement, rolled back":  {of("b", "1", ""), of("new", "1", "update"), "create B", types.StackStatusUpdateRollbackComplete, "a b c"},
		"removal of what was made":  {of("b", "1", ""), of("new", "1", "update"), "delete B", types.StackStatusUpdateRollbackComplete, "a b c"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.first != "" {
				w.deploy("s", c.first)
			}
			w.kill(c.then, c.at)
			if got := w.stack("s").StackStatus; got != c.want || strings.Join(w.ids(), " ") != c.things {
				t.Errorf("stack %s, things %v; must be %s, %s", got, w.ids(), c.want, c.things)
			}
			if c.first == "" {
				return
			}
			if st := w.deploy("s", of("b", "3", "")); st.StackStatus != types.StackStatusUpdateComplete || strings.Join(w.ids(), " ") != "a b c" {
				t.Errorf("the next update: %s, %v", st.StackStatus, w.ids())
			}
		})
	}
}

func TestDamagedStateIsNamed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s-1.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	w := newWorld(t)
	w.values.secrets["db"] = `{"password":"hunter2"}`
	w.deploy("s", `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "{{resolve:secretsmanager:db:SecretString:password::}}", "Name": "a"}}}}`)
	if got := text(w.things["a"]["Value"]); got != "hunter2" {
		t.Error(got)
	}
	files, _ := filepath.Glob(filepath.Join(w.dir, "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	// The fake returns the value as an attribute, a real handler must not.
	if strings.Contains(strings.ReplaceAll(string(b), `"Value":"hunter2"}`, ""), "hunter2") {
		t.Error("the state holds the secret")
	}
	out, err := w.client.GetTemplate(context.Background(), &cloudformation.GetTemplateInput{StackName: aws.String("s")})
	if err != nil || !strings.Contains(aws.ToString(out.TemplateBody), "resolve:secretsmanager") {
		t.Error(out, err)
	}
}
