package resources

import (
	"context"
	"database/sql"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/lib/pq"

	"k8s-plus-aws-gitops/local/database/postgres"
)

// postgresEngine is PostgreSQL's name in RDS.
const postgresEngine = "postgres"

func (d Database) openPostgres() (*sql.DB, error) {
	address := url.URL{
		Scheme: "postgres", Host: d.address(), Path: "/postgres", User: url.UserPassword(d.AdminUser, d.AdminPassword),
		RawQuery: "sslmode=require&connect_timeout=10",
	}
	return sql.Open("postgres", address.String())
}

// postgresStatements make a user, who owns the database, and let nobody else
// into it: each instance of RDS is a server of its own.
func postgresStatements(user, password, name string) []statement {
	role := pq.QuoteIdentifier(user)
	statements := []statement{
		{text: "CREATE ROLE " + postgres.Plain, unless: "SELECT 1 FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(postgres.Plain)},
		{text: "CREATE ROLE " + role, unless: "SELECT 1 FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(user)},
		{text: "ALTER ROLE " + role + " LOGIN CREATEROLE CREATEDB PASSWORD " + pq.QuoteLiteral(password)},
		{text: "GRANT pg_signal_backend TO " + role}, // which RDS' administrator has, too
	}
	if name != "" {
		database := pq.QuoteIdentifier(name)
		statements = append(statements,
			statement{text: "CREATE DATABASE " + database, unless: "SELECT 1 FROM pg_database WHERE datname = " + pq.QuoteLiteral(name)},
			// A new one, or the copy of a snapshot, is the server's administrator's. Later the instance's may have given it away.
			statement{text: "ALTER DATABASE " + database + " OWNER TO " + role, unless: "SELECT 1 FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE NOT r.rolsuper AND d.datname = " + pq.QuoteLiteral(name)},
			statement{text: "REVOKE ALL ON DATABASE " + database + " FROM PUBLIC"})
	}
	return statements
}

// postgresTLS lets a user connect without TLS, or not.
func postgresTLS(user string, forced bool) statement {
	if forced {
		return statement{text: "REVOKE " + postgres.Plain + " FROM " + pq.QuoteIdentifier(user)}
	}
	return statement{text: "GRANT " + postgres.Plain + " TO " + pq.QuoteIdentifier(user)}
}

// dropPostgres ends the connections to a database, as RDS ends those to an
// instance, and removes it.
func dropPostgres(name string) string {
	return "DROP DATABASE IF EXISTS " + pq.QuoteIdentifier(name) + " WITH (FORCE)"
}

// dropRole removes a user, who only cannot sign in any more while a snapshot holds what is theirs.
func dropRole(user string) []statement {
	role := pq.QuoteIdentifier(user)
	owner := "SELECT oid FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(user)
	return []statement{
		{text: "ALTER ROLE " + role + " NOLOGIN", unless: "SELECT 1 WHERE NOT EXISTS (" + owner + ")"},
		{text: "DROP ROLE IF EXISTS " + role, unless: "SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = (" + owner + ") LIMIT 1"},
	}
}

// forcesTLS reports whether a parameter group refuses connections without TLS,
// which is the default of RDS for PostgreSQL 15 and later.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
func (s *Services) forcesTLS(ctx context.Context, group string) (bool, error) {
	if group == "" {
		return true, nil
	}
	pages := rds.NewDescribeDBParametersPaginator(s.rds(), &rds.DescribeDBParametersInput{DBParameterGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return true, err
		}
		for _, p := range page.Parameters {
			if aws.ToString(p.ParameterName) == "rds.force_ssl" {
				return aws.ToString(p.ParameterValue) != "0", nil
			}
		}
	}
	return true, nil
}

// applyTLS does for the instances of a parameter group what a change of
// rds.force_ssl does.
func (s *Services) applyTLS(ctx context.Context, group string) error {
	forced, err := s.forcesTLS(ctx, group)
	if err != nil {
		return err
	}
	out, err := s.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return err
	}
	var statements []statement
	for _, db := range out.DBInstances {
		for _, g := range db.DBParameterGroups {
			if aws.ToString(db.Engine) == postgresEngine && aws.ToString(g.DBParameterGroupName) == group {
				statements = append(statements, postgresTLS(aws.ToString(db.MasterUsername), forced))
			}
		}
	}
	if len(statements) == 0 {
		return nil
	}
	server, err := s.server(ctx, postgresEngine)
	if err != nil {
		return err
	}
	return server.execute(ctx, postgresEngine, statements)
}
