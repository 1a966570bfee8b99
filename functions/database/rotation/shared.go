package rotation

import (
	"github.com/lib/pq"
)

// mysqlShares make the database before its user. Its name has no underscore and no percent sign, which a GRANT would read as
// a pattern of other names.
func mysqlShares(of owner) ([]statement, error) {
	users, err := mysqlUsers(of)
	return append([]statement{{text: "CREATE DATABASE IF NOT EXISTS `" + of.database + "` CHARACTER SET utf8mb4"}}, users...), err
}

// mysqlLocks keep both users, because what they defined, such as views and triggers, runs with their rights.
func mysqlLocks(user string) []statement {
	return []statement{
		{text: "ALTER USER IF EXISTS ?@'%' ACCOUNT LOCK", args: []any{user}},
		{text: "ALTER USER IF EXISTS ?@'%' ACCOUNT LOCK", args: []any{user + clone}},
	}
}

func mysqlDrops(database, user string) []statement {
	return []statement{
		{text: "DROP DATABASE IF EXISTS `" + database + "`"},
		{text: "DROP USER IF EXISTS ?@'%'", args: []any{user}},
		{text: "DROP USER IF EXISTS ?@'%'", args: []any{user + clone}},
	}
}

// inTurn lets the functions of an instance run one after the other, for as long as they are signed in: two that change the same
// row of PostgreSQL's catalogs at once fail. The number has no meaning but to be theirs.
var inTurn = statement{text: "SELECT pg_advisory_lock(20261130)"}

// postgresShares make the database for its role. To the databases that come with an instance everybody may connect, until their
// owner says otherwise. In RDS that is the administrator: postgres has the names of the others, and a session in template1 would
// keep CREATE DATABASE from copying it.
func postgresShares(of owner) ([]statement, error) {
	role, db := pq.QuoteIdentifier(of.role()), pq.QuoteIdentifier(of.database)
	owned, err := postgresOwned(of, []statement{
		{text: "CREATE DATABASE " + db + " OWNER " + role, unless: "SELECT 1 FROM pg_database WHERE datname = " + pq.QuoteLiteral(of.database)},
	})
	before := []statement{inTurn}
	for _, name := range []string{"postgres", "template1"} {
		before = append(before, statement{
			text:   "REVOKE CONNECT ON DATABASE " + name + " FROM PUBLIC",
			unless: "SELECT 1 FROM pg_database WHERE datname = " + pq.QuoteLiteral(name) + " AND NOT pg_has_role(datdba, 'USAGE')",
		})
	}
	return append(before, owned...), err
}

func postgresLocks(user string) []statement {
	all := []statement{inTurn}
	for _, name := range []string{user, user + clone} {
		all = append(all, unlessMissing(name, "ALTER ROLE "+pq.QuoteIdentifier(name)+" NOLOGIN"))
	}
	return all
}

// postgresDrops ends the connections to the database with it.
func postgresDrops(database, user string) []statement {
	all := []statement{inTurn, {text: "DROP DATABASE IF EXISTS " + pq.QuoteIdentifier(database) + " WITH (FORCE)"}}
	for _, name := range []string{user, user + clone, owner{database: database}.role()} {
		all = append(all, statement{text: "DROP ROLE IF EXISTS " + pq.QuoteIdentifier(name)})
	}
	return all
}

// unlessMissing leaves a statement out where the role is not there.
func unlessMissing(role, text string) statement {
	return statement{text: text, unless: "SELECT 1 WHERE NOT EXISTS (" + roleExists(role) + ")"}
}
