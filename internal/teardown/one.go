package teardown

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"k8s-plus-aws-gitops/config"
)

// PlanStack reads what the removal of one application's stack takes and what it leaves. The environment may have deletion
// protection: then the stack and its database refuse until somebody has turned it off for each. It changes nothing.
func (t *Teardown) PlanStack(ctx context.Context, application string) (Plan, error) {
	p := Plan{Environment: t.Env.Name, Account: t.Env.Account, Region: t.Env.Region}
	if err := t.account(ctx); err != nil {
		return p, err
	}
	s, err := t.application(ctx, application)
	if err != nil {
		return p, err
	}
	if err := t.read(ctx, &s); err != nil {
		return p, fmt.Errorf("stack %s: %w", s.Name, err)
	}
	if err := t.free(ctx, s); err != nil {
		return p, err
	}
	if err := t.countBuckets(ctx, &s); err != nil {
		return p, err
	}
	p.Stacks = []Stack{s}
	p.Kept, err = t.kept(ctx, p, "/"+t.Env.Name+"/"+application+"/")
	return p, err
}

// application finds the stack of an application, or of an instance that services share.
func (t *Teardown) application(ctx context.Context, name string) (Stack, error) {
	all, err := t.listed(ctx)
	if err != nil {
		return Stack{}, err
	}
	var names []string
	for _, s := range all {
		switch {
		case s.Name == t.Env.StackName(name) && !s.alone():
			return s, fmt.Errorf("stack %s is no application's: it goes with its environment, by gitops teardown %s", s.Name, t.Env.Name)
		case s.Name == t.Env.StackName(name):
			return s, nil
		case s.alone():
			names = append(names, strings.TrimPrefix(s.Name, t.Env.Name+"-"))
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return Stack{}, fmt.Errorf("%s has no stack of an application", t.Env.Name)
	}
	return Stack{}, fmt.Errorf("%s has no stack %s: %s", t.Env.Name, t.Env.StackName(name), config.Suggest(name, names))
}

// free fails for a stack that is protected, or whose exports another stack imports.
func (t *Teardown) free(ctx context.Context, s Stack) error {
	var protected []string
	if s.Protected {
		protected = append(protected, "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name "+s.Name)
	}
	for _, db := range s.Resources {
		if db.Type != "AWS::RDS::DBInstance" {
			continue
		}
		out, err := rds.NewFromConfig(t.AWS).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &db.ID})
		if gone(err) != nil {
			return fmt.Errorf("database %s: %w", db.ID, err)
		}
		if err == nil && len(out.DBInstances) > 0 && aws.ToBool(out.DBInstances[0].DeletionProtection) {
			protected = append(protected, "aws rds modify-db-instance --no-deletion-protection --apply-immediately --db-instance-identifier "+db.ID)
		}
	}
	if len(protected) > 0 {
		return fmt.Errorf("stack %s is protected; turn that off first:\n  %s", s.Name, strings.Join(protected, "\n  "))
	}
	for _, export := range s.exports {
		out, err := cloudformation.NewFromConfig(t.AWS).ListImports(ctx, &cloudformation.ListImportsInput{ExportName: &export})
		switch {
		case err != nil && strings.Contains(err.Error(), "is not imported by any stack"): // has no code of its own
		case err != nil:
			return fmt.Errorf("export %s: %w", export, err)
		case len(out.Imports) > 0:
			return fmt.Errorf("stack %s exports %s, which %s imports; remove the import first", s.Name, export, strings.Join(out.Imports, ", "))
		}
	}
	return nil
}

// RemoveStack removes the stack that PlanStack found, and nothing beside it.
func (t *Teardown) RemoveStack(ctx context.Context, plan Plan) (Report, error) {
	r := Report{Environment: t.Env.Name}
	for _, s := range plan.Stacks {
		if err := t.removeStack(ctx, s.Name, plan, &r); err != nil {
			r.add(Left, "stack "+s.Name, err.Error())
			return r, err
		}
		r.add(Removed, "stack "+s.Name, "")
	}
	r.Items = append(r.Items, plan.Kept...)
	return r, nil
}
