package config

import "regexp"

// Rehearsal is what `gitops rehearse` begins with beside the base ([rehearsal](guides/rehearsal.md#data)). Nothing of it is deployed.
type Rehearsal struct {
	// What fills MySQL databases once the base runs, so that migrations are timed on it. It is that of the base's `cdk.json`.
	Data []RehearsalData `json:"data" default:"[]" example:"[{\"database\": \"ordersdb\", \"generate\": [\"hack/orders\", \"100000\"]}]"`
}

// RehearsalData fills one database: by a program that makes rows, or from a dump. Programs run in the base's checkout, each as a list of the program and its arguments.
type RehearsalData struct {
	// Database to fill, by its name on the server: `ghost`, or `ordersdb` for that of service `orders`. Required.
	Database string `json:"database" required:"name the database, for example \"ghost\"" example:"\"ordersdb\""`
	// Makes rows in the database that its environment names (`DATABASE_URL`, `MYSQL_HOME`).
	Generate []string `json:"generate" default:"[]" example:"[\"hack/orders\", \"100000\"]"`
	// Writes a dump of one database as SQL to its standard output, without `USE` and `CREATE DATABASE`.
	Dump []string `json:"dump" default:"[]" example:"[\"zcat\", \"/backups/orders.sql.gz\"]"`
	// Makes the dump anonymous before anything else reads it: a program, whose environment names a database with the dump alone, or one file of the repository that ends in `.sql`. Required with `dump`.
	Anonymize []string `json:"anonymize" default:"[]" example:"[\"hack/anonymize.sql\"]"`
}

// Rehearses reports whether the pipeline of the review rehearses pull requests.
func (e Environment) Rehearses() bool {
	return e.Delivers() && e.Delivery.Review && e.Delivery.Rehearsal
}

// schemaName is a database that a rehearsal fills: one that needs no quotes, and room for a prefix in MySQL's 64.
var schemaName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)

// checkRehearsal checks what a rehearsal begins with.
func checkRehearsal(f field, r Rehearsal) {
	names := make([]string, len(r.Data))
	for i, d := range r.Data {
		at := f.key("data").index(i)
		names[i] = d.Database
		if !schemaName.MatchString(d.Database) {
			at.key("database").add("use letters, digits, '_' and '-', at most 50", "must be the name of a database, got %q", d.Database)
		}
		at.key("database").once(names[:i+1], i)
		switch {
		case (len(d.Generate) > 0) == (len(d.Dump) > 0):
			at.add(`keep "generate" or "dump", with a program and its arguments`, "must have one of generate and dump")
		case len(d.Dump) > 0 && len(d.Anonymize) == 0:
			at.key("anonymize").add("name the program or the file of SQL that makes the dump anonymous", "must be there with dump")
		case len(d.Generate) > 0 && len(d.Anonymize) > 0:
			at.key("anonymize").add("leave it out", "must be of a dump: what is generated is nobody's")
		}
	}
}
