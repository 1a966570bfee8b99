package appresources

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// Secrets Manager alone calls the function, which reaches the database and HTTPS, and is told the names that it works on.
func TestDatabaseUser(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	made := NewDatabase(stack, "MySQL", &DatabaseProps{Env: env, Network: network(stack), Engine: MySQL, App: "shop", Size: env.Ghost.Database})
	if want := env.ARN("iam", "role/dev-shop_database"); made.User.RoleARN != want {
		t.Errorf("role %s, want %s", made.User.RoleARN, want)
	}
	template, anything := cdktest.Synthesize(t, stack), assertions.Match_AnyValue()
	template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/shop/database-user"})
	template.Has("AWS::Lambda::Function", map[string]any{
		"FunctionName": "dev-shop_database", "Runtime": "provided.al2023", "Architectures": []string{"arm64"}, "Handler": "database",
		"VpcConfig": map[string]any{"SubnetIds": []string{"subnet-3", "subnet-4"}, "SecurityGroupIds": anything},
		"Environment": map[string]any{"Variables": map[string]any{
			"SECRET": anything, "MASTER_SECRET": anything, "SECRET_NAME": "/dev/shop/database-user", "CLUSTER": env.ClusterName(), "NAMESPACE": "shop",
		}},
	})
	template.Has("AWS::Lambda::Permission", map[string]any{"Principal": "secretsmanager.amazonaws.com", "SourceAccount": env.Account})
	template.Has("AWS::SecretsManager::RotationSchedule", map[string]any{
		"RotationRules": map[string]any{"AutomaticallyAfterDays": env.Ghost.Database.RotationDays}, "RotateImmediatelyOnUpdate": false,
	})
	template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/aws/lambda/dev-shop_database", "RetentionInDays": env.Ghost.Database.LogDays})
	template.Count("Custom::DatabaseUser", 1)
}

// The sources of a function are the folders of this repository that it imports: a change of another one gives the same hash.
func TestFunctionSources(t *testing.T) {
	for _, f := range []Function{DatabaseFunction, AlertsFunction} {
		t.Run(f.Name, func(t *testing.T) { sourcesOf(t, f) })
	}
}

func sourcesOf(t *testing.T, f Function) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-C", "..", "-deps", "-json=ImportPath,Module", "./functions/"+f.Name).Output()
	if err != nil {
		t.Fatal(err)
	}
	covered := func(folder string) bool {
		return slices.ContainsFunc(f.Sources, func(s string) bool { return folder == s || strings.HasPrefix(folder, s+"/") })
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Module     *struct{ Path string }
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Path == "k8s-plus-aws-gitops" {
			if folder, _ := filepath.Rel(p.Module.Path, p.ImportPath); !covered(folder) {
				t.Errorf("the function imports %s: add it to its Sources, and to FUNCTION_SOURCES in the Makefile", folder)
			}
		}
	}
}
