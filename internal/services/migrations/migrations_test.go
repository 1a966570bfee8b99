package migrations

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// fleetOf is a checkout with one service and a history, of which a line is a commit: the migration of the service npm
// in YAML, "-" without one, or "gone" without the service.
func fleetOf(t *testing.T) (dir string, commit func(migrate string) string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "k8s", "services"), 0o700); err != nil {
		t.Fatal(err)
	}
	tree := fixture.Tree(t)
	for _, name := range []string{"cdk.json", "k8s/fleet/fleet.yaml"} {
		content, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch", "main")
	file := filepath.Join(dir, "k8s", "services", "npm.yaml")
	return dir, func(migrate string) string {
		content := "image: ghcr.io/nodezoo/nodezoo-npm:1.4.2\nport: 8080\n"
		switch migrate {
		case "gone":
			content = ""
		case "-":
		default:
			content += "migrate: " + migrate + "\n"
		}
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git("add", "--all")
		git("commit", "--quiet", "--allow-empty", "-m", migrate)
		return git("rev-parse", "HEAD")
	}
}

// expand and contract are migrations in YAML.
func expand(version int) string   { return migration(version, "expand") }
func contract(version int) string { return migration(version, "contract") }
func migration(version int, phase string) string {
	return fmt.Sprintf("{version: %d, phase: %s, command: [migrate, %q]}", version, phase, fmt.Sprint(version))
}

// A release goes forward by one contract at a time, back over expand, and never back over contract. The last of a history is the
// commit to deploy, what is at the index is released.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		history  []string
		released int
		says     string
	}{
		"the first migration":                 {history: []string{"-", expand(1)}},
		"the next":                            {history: []string{expand(1), expand(2)}},
		"the same":                            {history: []string{expand(1), expand(1)}},
		"two expands at once":                 {history: []string{expand(1), expand(2), expand(3)}},
		"a contract after its expand":         {history: []string{"-", expand(1), contract(2)}, released: 1},
		"a contract with its expand":          {history: []string{"-", expand(1), contract(2)}, says: "schema 2 is of phase contract, and what runs is of schema 0: release the commit with schema 1 first"},
		"past a contract":                     {history: []string{expand(1), contract(2), expand(3)}, says: "schema 2 is of phase contract, and this goes past it from 1 to 3: release the commit with schema 2 first"},
		"a new service":                       {history: []string{"gone", contract(2)}},
		"back over an expand":                 {history: []string{expand(1), expand(2), expand(1)}, released: 1},
		"back over two expands, to none":      {history: []string{"-", expand(1), expand(2), "-"}, released: 2},
		"back over a contract":                {history: []string{expand(1), contract(2), expand(1)}, released: 1, says: "goes back from schema 2 to 1, and schema 2 is of phase contract: what the earlier version needs is gone. Go back to a commit with schema 2 or later, or bring it back by a new migration, 3"},
		"back over an expand, and a contract": {history: []string{expand(1), contract(2), expand(3), expand(1)}, released: 2, says: "schema 2 is of phase contract"},
		"back to the contract":                {history: []string{expand(1), contract(2), expand(3), contract(2)}, released: 2},
		"back past what is in no commit":      {history: []string{expand(1), expand(3), expand(1)}, released: 1, says: "schema 2 is in no commit"},
		"another command":                     {history: []string{expand(1), "{version: 1, phase: expand, command: [other]}"}, says: "schema 1 was released with another phase or command, and a database may have run it: make it a migration of its own, 2"},
		"another phase":                       {history: []string{expand(1), strings.Replace(expand(1), "expand", "contract", 1)}, says: "another phase or command"},
		"a version again, after a way back":   {history: []string{expand(1), expand(2), expand(1), "{version: 2, phase: expand, command: [other]}"}, released: 2, says: "make it a migration of its own, 3"},
		"the same version, after a way back":  {history: []string{expand(1), expand(2), expand(1), expand(2)}, released: 2},
		"the service goes":                    {history: []string{contract(1), "gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			root, commit := fleetOf(t)
			var commits []string
			for _, line := range c.history {
				commits = append(commits, commit(line))
			}
			why, err := Refusals(t.Context(), root, commits[c.released], "dev")
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.says == "" && len(why) > 0, c.says != "" && (len(why) != 1 || !strings.HasPrefix(why[0], "k8s/services/npm.yaml: ") || !strings.Contains(why[0], c.says)):
				t.Errorf("got %q, want %q", why, c.says)
			}
		})
	}
}

// A database is kept before its schema goes forward, and only then.
func TestForward(t *testing.T) {
	with := func(migrate string) string { return migrate + "\naws: {database: {engine: mysql}}" }
	for name, c := range map[string]struct {
		history  []string
		released int
		want     string
	}{
		"forward":            {history: []string{with(expand(1)), with(expand(2))}, want: "npm"},
		"the first":          {history: []string{"-", with(expand(1))}, want: "npm"},
		"the same":           {history: []string{with(expand(1)), with(expand(1))}},
		"back":               {history: []string{with(expand(1)), with(expand(2)), with(expand(1))}, released: 1},
		"without a database": {history: []string{expand(1), expand(2)}},
		"a new service":      {history: []string{"gone", with(expand(1))}},
		"it goes":            {history: []string{with(expand(1)), "gone"}},
	} {
		root, commit := fleetOf(t)
		var commits []string
		for _, line := range c.history {
			commits = append(commits, commit(line))
		}
		got, err := Forward(t.Context(), root, commits[c.released], "production")
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

// An instance that services share is kept as one, once, and by its own name.
func TestForwardOnSharedInstances(t *testing.T) {
	root, commit := fleetOf(t)
	others := map[string]string{"alone": "mysql}", "info": "mysql, shared: true}", "search": "postgres, shared: true}", "still": "mysql, shared: true}"}
	at := func(version int) string {
		for name, database := range others {
			migrate := expand(version)
			if name == "still" {
				migrate = expand(1)
			}
			content := "image: ghcr.io/nodezoo/nodezoo-npm:1.4.2\nport: 8080\nmigrate: " + migrate + "\naws: {database: {engine: " + database + "}\n"
			if err := os.WriteFile(filepath.Join(root, "k8s", "services", name+".yaml"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return commit(expand(version) + "\naws: {database: {engine: mysql}}\nenvironments: {production: {aws: {database: {shared: true}}}}")
	}
	released := at(1)
	at(2)
	for environment, want := range map[string]string{"production": "alone shared-mysql shared-postgres", "dev": "alone npm shared-mysql shared-postgres"} {
		got, err := Forward(t.Context(), root, released, environment)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, %v, want %q", environment, got, err, want)
		}
	}
}
