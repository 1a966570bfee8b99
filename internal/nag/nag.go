// Package nag checks the app against the AwsSolutions rules of cdk-nag. Each suppression names one resource, one rule
// and a reason; they are applied only when the rules are, so that templates carry none of it.
package nag

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"k8s-plus-aws-gitops/config"
)

// Check adds the rules and the suppressions to an environment's stage. It comes before synthesis; aspects do not cross from an
// app into its stages.
func Check(stage awscdk.Stage, env config.Environment, accepted []Suppression) {
	for _, s := range accepted {
		stack, ok := stage.Node().FindChild(jsii.String(s.Stack)).(awscdk.Stack)
		if !ok {
			panic("no stack " + s.Stack) //nolint:forbidigo // a suppression of this package names a stack that is gone; the test finds it
		}
		suppression := &cdknag.NagPackSuppression{Id: jsii.String("AwsSolutions-" + s.Rule), Reason: jsii.String(s.Reason)}
		if len(s.AppliesTo) > 0 {
			suppression.AppliesTo = &s.AppliesTo
		}
		cdknag.NagSuppressions_AddResourceSuppressionsByPath(stack, jsii.String("/"+env.Name+"/"+s.Stack+"/"+s.Path),
			&[]*cdknag.NagPackSuppression{suppression}, jsii.Bool(false))
	}
	awscdk.Aspects_Of(stage).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{}), nil)
}

// Result is a line of the reports that the rules write during synthesis.
type Result struct {
	Rule, Resource, Compliance, Reason, Info string
}

// String is the result on one line.
func (r Result) String() string {
	return fmt.Sprintf("%s: %s: %s; change the resource, or give a reason in internal/nag/suppressions.go", r.Resource, r.Rule, r.Info)
}

// Results reads the reports in a cloud assembly, and returns the findings and what was suppressed.
func Results(assembly string) (findings, suppressed []Result, err error) {
	reports, err := filepath.Glob(filepath.Join(assembly, "AwsSolutions-*-NagReport.csv"))
	if err != nil || len(reports) == 0 {
		return nil, nil, fmt.Errorf("%s: no report of cdk-nag: %w", assembly, err)
	}
	slices.Sort(reports)
	for _, name := range reports {
		rows, err := read(name)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range rows[1:] {
			result := Result{Rule: row[0], Resource: row[1], Compliance: row[2], Reason: row[3], Info: row[5]}
			switch result.Compliance {
			case "Compliant", "N/A":
			case "Suppressed":
				suppressed = append(suppressed, result)
			default:
				findings = append(findings, result)
			}
		}
	}
	return findings, suppressed, nil
}

// read reads a report: rule, resource, compliance, exception reason, level, info.
func read(name string) ([][]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = 6
	rows, err := reader.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}
