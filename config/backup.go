package config

import "regexp"

// Backup is what AWS Backup keeps of the databases, buckets and tables of an environment, beside what these keep themselves.
type Backup struct {
	// Whether AWS Backup makes a backup each day. Default: `deletionProtection`; `true` needs it, because a vault with backups
	// outlives its environment.
	Enabled *bool `json:"enabled" example:"false"`
	// Days that a backup is kept. Of buckets every moment of the last 35 days can be restored, or of fewer when this is less.
	Days int `json:"days" default:"35" example:"90"`
	// Another region of the same partition, into whose vault `<environment>` each backup is copied. `make bootstrap` makes that vault.
	// Without it a lost region is lost data.
	CopyTo string `json:"copyTo" example:"\"eu-central-1\""`
	// Restores databases by a schedule, to prove that their backups can be used; [the drill](guides/restore.md#the-drill).
	Drill *Drill `json:"drill"`
}

// Drill restores databases by a schedule into instances that it removes again.
type Drill struct {
	// When, as EventBridge writes it, in UTC: minute, hour, day of the month, month, day of the week, year.
	Schedule string `json:"schedule" default:"cron(0 4 ? * SUN *)" example:"\"cron(30 2 1 * ? *)\""`
	// Applications and services whose databases it restores, one after the other. Required, at least one.
	Services []string `json:"services" required:"name one with a database, for example \"ghost\"" example:"[\"ghost\", \"orders\"]"`
}

// BackupTag is the tag of what AWS Backup backs up, with BackupDaily as its value.
const (
	BackupTag   = "backup"
	BackupDaily = "daily"
)

// BacksUp reports whether AWS Backup makes backups of the environment.
func (e Environment) BacksUp() bool {
	if chosen := e.Backup.Enabled; chosen != nil {
		return *chosen
	}
	return e.DeletionProtection
}

// Drills reports whether restores are tried by a schedule. A build tries them, so it needs pipelines.
func (e Environment) Drills() bool { return e.Backup.Drill != nil && e.Delivers() }

// VaultName is the agreed name of the vault with the environment's backups, in its region and in backup.copyTo.
func (e Environment) VaultName() string { return e.Name }

// continuousDays is the most that AWS Backup keeps for restores of any moment:
// https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
const continuousDays = 35

// ContinuousDays are the days of which every moment of a bucket can be restored.
func (b Backup) ContinuousDays() int { return min(b.Days, continuousDays) }

// SnapshotName is that of a snapshot that somebody made, of an automated one, of AWS Backup's, or an ARN of these:
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html
var SnapshotName = regexp.MustCompile(`^(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?((rds|awsbackup):)?[A-Za-z](-?[A-Za-z0-9])*$`)

var (
	cronExpression  = regexp.MustCompile(`^cron\([0-9*,/?LW#A-Z-]+( [0-9*,/?LW#A-Z-]+){5}\)$`)
	applicationName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// checkBackup checks the backups of an environment.
func checkBackup(f field, e Environment) {
	b, at := e.Backup, f.key("backup")
	if b.Enabled != nil && *b.Enabled && !e.DeletionProtection {
		at.key("enabled").add("set deletionProtection to true, or leave it out", "must not be true without deletionProtection: a teardown leaves nothing behind, and a vault with backups stays")
	}
	at.key("days").between(b.Days, 7, 3650)
	if b.CopyTo != "" {
		copyTo := at.key("copyTo")
		switch {
		case !e.BacksUp():
			copyTo.add("leave it out, or set deletionProtection to true", "must not be set where there are no backups, got %q", b.CopyTo)
		case regions[b.CopyTo] == "":
			copyTo.add(Suggest(b.CopyTo, Regions()), "must be a region of AWS, got %q", b.CopyTo)
		case b.CopyTo == e.Region:
			copyTo.add("name another one", "must be another region than the environment's, got %q", b.CopyTo)
		case partition(b.CopyTo) != e.Partition():
			copyTo.add("name one of partition "+e.Partition(), "must be in the environment's partition, got %q", b.CopyTo)
		}
	}
	if b.Drill == nil {
		return
	}
	drill := at.key("drill")
	if !e.Delivers() {
		drill.add("make a connection (docs/guides/bootstrap.md) and give its ARN in delivery.connectionArn, or leave the drill out", "must not be set without pipelines: a build restores")
	}
	if !cronExpression.MatchString(b.Drill.Schedule) {
		drill.key("schedule").add("write for example \"cron(0 4 ? * SUN *)\": six fields, of which the third or the fifth is ?", "must be a cron expression of EventBridge, got %q", b.Drill.Schedule)
	}
	if len(b.Drill.Services) == 0 {
		drill.key("services").add("name one with a database, for example \"ghost\"", "must name at least one application or service")
	}
	for i, name := range b.Drill.Services {
		if !applicationName.MatchString(name) {
			drill.key("services").index(i).add("give its name alone, for example \"ghost\"", "must be the name of an application or a service, got %q", name)
		}
		drill.key("services").index(i).once(b.Drill.Services, i)
	}
}
