//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/internal/services"
)

// shares adds two services whose databases are on one instance, by one commit. Each reaches its own database, also with a new
// password, and is refused the other's. The one that goes takes nothing of the other's with it, and the instance goes last.
func (s *system) shares(ctx context.Context) (string, error) {
	if err := s.publishByMerge(ctx, true); err != nil {
		return "", err
	}
	names := []string{"till", "stock"}
	for _, name := range names {
		if err := s.addNeeds(ctx, name, "--database", "mysql"); err != nil {
			return "", err
		}
		if err := s.edit("k8s/services/"+name+".yaml", "engine: mysql", "engine: mysql, shared: true"); err != nil {
			return "", err
		}
	}
	all, err := s.merge(ctx, "Add till and stock")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if err := s.answers(ctx, name, "/", served); err != nil {
			return "", err
		}
	}
	if err := s.onOneInstance(ctx, names); err != nil {
		return "", err
	}
	if err := s.apartOnIt(ctx, names); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "rotate", "till", "--env", "local"); err != nil {
		return "", err
	}
	if err := s.answers(ctx, "till", "/", served); err != nil {
		return "", err
	}
	if err := s.apartOnIt(ctx, names); err != nil {
		return "", err
	}
	if err := s.leaveIt(ctx, names); err != nil {
		return "", err
	}
	return took(all), s.publishByMerge(ctx, false)
}

// sharedStack is the name of the instance's stack and of the instance, after the environment.
var sharedStack = services.SharedApp(services.MySQL)

// onOneInstance fails unless the shared instance is there, and none of the services' own.
func (s *system) onOneInstance(ctx context.Context, names []string) error {
	there, err := s.instances(ctx)
	if err == nil && !there["local-"+sharedStack] {
		err = fmt.Errorf("the instances are %v, without the shared one", there)
	}
	for _, name := range names {
		if err == nil && there["local-"+name] {
			err = fmt.Errorf("%s has an instance of its own", name)
		}
	}
	return err
}

func (s *system) instances(ctx context.Context) (map[string]bool, error) {
	c, err := s.aws()
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	pages := rds.NewDescribeDBInstancesPaginator(rds.NewFromConfig(c), &rds.DescribeDBInstancesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, db := range page.DBInstances {
			there[aws.ToString(db.DBInstanceIdentifier)] = true
		}
	}
	return there, nil
}

// apartOnIt tries each service's login at its own database and at the others'.
func (s *system) apartOnIt(ctx context.Context, names []string) error {
	logins := map[string]databaseLogin{}
	for _, name := range names {
		login, err := s.login(ctx, "/local/"+name+"/database-user")
		if err != nil {
			return err
		}
		logins[name] = login
	}
	for name, login := range logins {
		for other, of := range logins {
			try := login
			try.DBName = of.DBName
			_, err := s.count(ctx, try, "SELECT COUNT(*) FROM orders")
			var refused *mysql.MySQLError
			switch {
			case name == other && err != nil:
				return fmt.Errorf("%s at its own database: %w", name, err)
			case name != other && (!errors.As(err, &refused) || refused.Number != 1044):
				return fmt.Errorf("%s at the database of %s must be refused, got %w", name, other, errors.Join(err, errors.New("no refusal")))
			}
		}
	}
	return nil
}

// leaveIt removes one service after the other, and then the instance, which is refused before.
func (s *system) leaveIt(ctx context.Context, names []string) error {
	for i, name := range names {
		if _, err := s.gitops(ctx, "service", "remove", name); err != nil {
			return err
		}
		if _, err := s.merge(ctx, "Remove "+name); err != nil {
			return err
		}
		if _, err := s.gitops(ctx, "service", "remove", name, "--env", "local"); err != nil {
			return err
		}
		if out, err := s.gitops(ctx, "teardown", "local", "--stack", sharedStack, "--yes"); err == nil {
			return fmt.Errorf("the shared instance goes while %s is there: %s", strings.Join(names[i:], " and "), out)
		}
		if _, err := s.gitops(ctx, "teardown", "local", "--stack", name, "--yes"); err != nil {
			return err
		}
		for _, other := range names[i+1:] {
			if err := s.answers(ctx, other, "/", served); err != nil {
				return err
			}
		}
	}
	if _, err := s.gitops(ctx, "teardown", "local", "--stack", sharedStack, "--yes"); err != nil {
		return err
	}
	there, err := s.instances(ctx)
	if err == nil && there["local-"+sharedStack] {
		err = fmt.Errorf("the instances are %v, with the shared one", there)
	}
	return err
}
