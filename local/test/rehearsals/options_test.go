//go:build e2e

package rehearsals

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// option is a rehearsal that is not of one pull request in environment local.
type option struct {
	pull
	// base is what the base has beside the suite's.
	base []edit
	// other is the second pull request; empty: there is none.
	other pull
	args  []string
	// holds says what is wrong with the result beside its line; nil: nothing is looked at.
	holds func(*rehearsal.Result) string
}

// shop gives a service the host.
func shop(service string) pull {
	return pull{
		name:  "Serve " + service + " as shop",
		edits: []edit{{"k8s/services/" + service + ".yaml", "internet: true\n", "internet: true\nhost: shop\n"}}, commands: [][]string{{"bin/gitops", "generate"}},
	}
}

// full is a table of the base's service that is large enough for a change of it to take its time.
var full = edit{"cdk.json", `          "drift": {"schedule": "off"},
          "delivery": {
            "connectionArn": "arn:aws:codeconnections:eu-west-1:000000000000`, `          "drift": {"schedule": "off"},
          "rehearsal": {"data": [{"database": "ordersdb", "generate": ["sh", "-c", "mariadb \"$MYSQL_DATABASE\" -e \"CREATE TABLE IF NOT EXISTS orders (id INT PRIMARY KEY, what VARCHAR(40)); INSERT INTO orders SELECT seq, CONCAT('order ', seq) FROM seq_2_to_6000000\""]}]},
          "delivery": {
            "connectionArn": "arn:aws:codeconnections:eu-west-1:000000000000`}

var options = []option{
	{
		pull:  pull{name: "with: two that go together", edits: good[1].edits},
		other: good[2], args: []string{"--with", "other"},
		holds: func(r *rehearsal.Result) string {
			if len(r.Orders) != 2 {
				return "it must have both orders"
			}
			return ""
		},
	},
	{
		pull:  pull{name: "with: two for one host", code: 1, says: "host: must not be the host of another service", edits: shop("npm").edits, commands: shop("npm").commands},
		other: shop("github"), args: []string{"--with", "other"},
	},
	{
		pull: pull{name: "upgrade: Node.js of Ghost"},
		args: []string{"--upgrade", "Node.js of Ghost=24.20.0"},
	},
	{
		pull: pull{name: "env: production", edits: good[1].edits}, args: []string{"--env", "production"},
		holds: func(r *rehearsal.Result) string {
			if len(r.Substitutions) == 0 || !strings.Contains(strings.Join(r.CannotShow, "\n"), "who approves") {
				return "it must say what was otherwise, and who approved"
			}
			return ""
		},
	},
	{
		pull: pull{name: "data: a migration of a full table", code: 1, says: "migration locks: orders", edits: []edit{migrate("expand", "ALTER TABLE orders MODIFY what VARCHAR(200) CHARACTER SET utf8mb3, ALGORITHM=COPY")}},
		base: []edit{full},
		holds: func(r *rehearsal.Result) string {
			if len(r.Data) != 1 || r.Data[0].Rows < 1_000_000 {
				return "it must tell how many rows there were"
			}
			return ""
		},
	},
}

// Each has a base of its own where it needs one, and makes its snapshot first.
func TestOptions(t *testing.T) {
	s := prepare(t)
	for _, o := range options {
		t.Run(o.name, func(t *testing.T) {
			in := <-s.clones
			defer func() { s.clones <- in }()
			reset(t, in.repo, in.base)
			from := in.base
			if len(o.base) > 0 {
				pull{name: "Prepare the base", edits: o.base}.change(t, in.repo)
				from = run(t, in.repo, "git", "rev-parse", "HEAD")
			}
			for _, branch := range []string{"production", "other", "base"} {
				run(t, in.repo, "git", "branch", "--force", branch, from)
			}
			if o.other.name != "" {
				run(t, in.repo, "git", "checkout", "--quiet", "other")
				o.other.change(t, in.repo)
				run(t, in.repo, "git", "checkout", "--quiet", "--detach", from)
			}
			if len(o.edits) > 0 {
				o.change(t, in.repo)
			}
			l, result := rehearse(t, in.repo, append([]string{"--base", "base"}, o.args...)...)
			l.Name, l.Commit = o.name, s.commit
			s.save(t, l, result)
			t.Logf("exit code %d in %.0f s: %s", l.Code, l.Seconds, l.Said)
			if l.Code != o.code || !strings.Contains(l.Said, o.says) {
				t.Errorf("exit code %d, want %d; it says %q, want %q in it\n%s", l.Code, o.code, l.Said, o.says, findings(result))
			}
			if o.holds != nil {
				if wrong := o.holds(result); wrong != "" {
					t.Error(wrong)
				}
			}
		})
	}
}
