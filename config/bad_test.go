package config

import (
	"fmt"
	"maps"
	"strings"
)

// badConfigurations are edits of the good configuration, each with the number of problems that it must yield (default 1).
var badConfigurations = []struct {
	name     string
	edits    map[string]any
	problems int
}{
	{name: "no configuration", edits: set("gitops", absent{})},
	{name: "configuration of the wrong type", edits: set("gitops", "x")},
	{name: "empty configuration", edits: set("gitops", map[string]any{}), problems: 3},
	{name: "unknown key at the top", edits: set("gitops/enviroments", map[string]any{})},
	{name: "repository missing", edits: set("gitops/repository", absent{}), problems: 2},
	{name: "repository of the wrong type", edits: set("gitops/repository", "my-company/platform")},
	{name: "owner missing", edits: set("gitops/repository/owner", absent{})},
	{name: "owner is a URL", edits: set("gitops/repository/owner", "https://github.com/me")},
	{name: "owner is empty", edits: set("gitops/repository/owner", "")},
	{name: "repository name with owner", edits: set("gitops/repository/name", "me/platform")},
	{name: "repository name with .git", edits: set("gitops/repository/name", "platform.git")},
	{name: "unknown credentials", edits: set("gitops/repository/credentials", "githubapp")},
	{name: "connection of another service", edits: set("gitops/repository/connectionArn", "arn:aws:iam::111111111111:role/x")},
	{name: "repository with a token", edits: set("gitops/repository/token", "ghp_x")},
	{name: "key outside of the repository", edits: set("gitops/repository/verify", []string{"../keys/alice.asc"})},
	{name: "key by its text", edits: set("gitops/repository/verify", []string{"-----BEGIN PGP PUBLIC KEY BLOCK-----"})},
	{name: "two keys of one name", edits: set("gitops/repository/verify", []string{"keys/alice.asc", "keys/old/alice.asc"})},
	{name: "keys as text", edits: set("gitops/repository/verify", "keys/alice.asc")},
	{name: "no environments", edits: set("gitops/environments", map[string]any{})},
	{name: "environments as a list", edits: set("gitops/environments", []string{"dev"})},
	{name: "environment of the wrong type", edits: set("gitops/environments/dev", true)},
	{name: "environment name in upper case", edits: set("gitops/environments/Staging", environment("10.50.0.0/16", "staging.example.com"))},
	{name: "environment name too long", edits: set("gitops/environments/a-very-long-environment-name", environment("10.50.0.0/16", "staging.example.com"))},
	{name: "environment name with an underscore", edits: set("gitops/environments/pre_prod", environment("10.50.0.0/16", "staging.example.com"))},
	{name: "environment with a bad name and more", edits: map[string]any{"gitops/environments/Staging": environment("10.50.0.0/16", "staging.example.com"),
		"gitops/environments/Staging/account": "1", "gitops/environments/Staging/nodes": map[string]any{"min": 0}}, problems: 3},
	{name: "empty environment", edits: set("gitops/environments/dev", map[string]any{}), problems: 4},
	{name: "account missing", edits: dev("account", absent{})},
	{name: "account as a number", edits: dev("account", 111111111111)},
	{name: "account too short", edits: dev("account", "1234")},
	{name: "account as a placeholder", edits: dev("account", "<your account>")},
	{name: "region missing", edits: dev("region", absent{})},
	{name: "region misspelt", edits: dev("region", "eu-wset-1")},
	{name: "zone instead of region", edits: dev("region", "eu-west-1a")},
	{name: "domain missing", edits: dev("domain", absent{})},
	{name: "domain with a scheme", edits: dev("domain", "https://dev.example.com")},
	{name: "domain with a wildcard", edits: dev("domain", "*.example.com")},
	{name: "domain with one label", edits: dev("domain", "dev")},
	{name: "domain in upper case", edits: dev("domain", "Dev.example.com")},
	{name: "domain too long for a certificate", edits: dev("domain", strings.Repeat("a", 60)+".example.com")},
	{name: "domain outside the zone", edits: dev("domain", "dev.example.org")},
	{name: "domain of another environment", edits: dev("domain", "example.com")},
	{name: "data by a generator and a dump", edits: dev("rehearsal/data", rehearsed(map[string]any{"generate": []string{"a"}, "dump": []string{"b"}, "anonymize": []string{"c"}}))},
	{name: "data by nothing", edits: dev("rehearsal/data", rehearsed(map[string]any{}))},
	{name: "a dump that nothing makes anonymous", edits: dev("rehearsal/data", rehearsed(map[string]any{"dump": []string{"b"}}))},
	{name: "generated data that is made anonymous", edits: dev("rehearsal/data", rehearsed(map[string]any{"generate": []string{"a"}, "anonymize": []string{"c"}}))},
	{name: "data of no database", edits: dev("rehearsal/data", rehearsed(map[string]any{"database": "a`b", "generate": []string{"a"}}))},
	{name: "data of a database twice", edits: dev("rehearsal/data", append(rehearsed(map[string]any{"generate": []string{"a"}}), rehearsed(map[string]any{"generate": []string{"b"}})...))},
	{name: "branch missing", edits: dev("branch", absent{})},
	{name: "branch empty", edits: dev("branch", "")},
	{name: "branch with blanks", edits: dev("branch", "my branch")},
	{name: "branch as a ref", edits: dev("branch", "refs/heads/main")},
	{name: "branch with dots", edits: dev("branch", "a..b")},
	{name: "repository URL without a path", edits: dev("repositoryUrl", "https://github.com")},
	{name: "repository URL in scp form", edits: dev("repositoryUrl", "git@github.com:me/platform.git")},
	{name: "repository URL by ssh without credentials", edits: dev("repositoryUrl", "ssh://git@github.com/me/platform.git")},
	{name: "repository URL by https with ssh credentials", edits: map[string]any{"gitops/repository/credentials": "ssh"}, problems: 2},
	{name: "repository URL unencrypted", edits: dev("repositoryUrl", "http://git.example.com/platform.git")},
	{name: "repository URL with a password", edits: dev("repositoryUrl", "https://me:secret@git.example.com/platform.git")},
	{name: "repository URL of another scheme", edits: dev("repositoryUrl", "ftp://git.example.com/platform.git")},
	{name: "repository URL by http with the keys of an app", edits: map[string]any{
		"gitops/environments/dev/repositoryUrl": "http://git.localhost/platform.git", "gitops/environments/dev/credentials": "githubApp",
	}},
	{name: "credentials of an environment unknown", edits: dev("credentials", "token")},
	{name: "fact in lower case", edits: dev("facts", map[string]string{"charts": "https://charts.example.com"})},
	{name: "fact of the bootstrap", edits: dev("facts", map[string]string{"DOMAIN": "example.org"})},
	{name: "certificates of databases as PEM", edits: dev("facts", map[string]string{"DATABASE_CA": "-----BEGIN CERTIFICATE-----"})},
	{name: "certificates of databases that are none", edits: dev("facts", map[string]string{"DATABASE_CA": "LS0tLS1CRUdJTgp4Cg=="})},
	{name: "protection as text", edits: dev("deletionProtection", "no")},
	{name: "unknown key of an environment", edits: dev("acount", "111111111111")},
	{name: "zone without an id", edits: dev("hostedZone", map[string]any{"name": "example.com"})},
	{name: "zone id with its path", edits: dev("hostedZone/id", "/hostedzone/Z0123456789DEV")},
	{name: "zone as text", edits: dev("hostedZone", "Z0123456789DEV")},
	{name: "CIDR is no block", edits: dev("network/cidr", "10.20.0.0")},
	{name: "CIDR with host bits", edits: dev("network/cidr", "10.20.1.0/16")},
	{name: "CIDR too small", edits: dev("network/cidr", "10.20.0.0/24")},
	{name: "CIDR too large", edits: dev("network/cidr", "10.0.0.0/8")},
	{name: "CIDR public", edits: dev("network/cidr", "8.8.0.0/16")},
	{name: "CIDR of version 6", edits: dev("network/cidr", "fd00::/16")},
	{name: "CIDR of another environment", edits: map[string]any{"gitops/environments/dev/network/cidr": "10.40.0.0/17", "gitops/environments/dev/account": "222222222222"}},
	{name: "CIDR that overlaps the services", edits: dev("network/cidr", "172.20.0.0/16")},
	{name: "one zone", edits: dev("network/zones", []string{"a"})},
	{name: "zones with region", edits: dev("network/zones", []string{"eu-west-1a", "b"})},
	{name: "zones twice", edits: dev("network/zones", []string{"a", "a"})},
	{name: "zones as text", edits: dev("network/zones", "abc")},
	{name: "unknown NAT", edits: dev("network/nat", "two")},
	{name: "no NAT", edits: dev("network/nat", "none")},
	{name: "zone that the region lacks", edits: dev("network/zones", []string{"a", "z"})},
	{name: "no zones where accounts differ", edits: map[string]any{"gitops/environments/dev/region": "us-west-1"}},
	{name: "mirror", edits: dev("network/mirror", "111111111111.dkr.ecr.eu-west-1.amazonaws.com/ghcr.io")},
	{name: "unknown endpoint", edits: dev("network/endpoints", []string{"ecr"})},
	{name: "S3 as an interface endpoint twice", edits: dev("network/endpoints", []string{"sts", "sts"})},
	{name: "flow logs for a week and a half", edits: dev("network/flowLogDays", 10)},
	{name: "version as a number", edits: dev("cluster/version", 1.36)},
	{name: "version too old", edits: dev("cluster/version", "1.29")},
	{name: "version with patch", edits: dev("cluster/version", "1.36.3")},
	{name: "version newer than the table", edits: dev("cluster/version", "1.37")},
	{name: "add-on unknown", edits: dev("cluster/addons", map[string]any{"vpc-cnni": "v1.22.4-eksbuild.3"})},
	{name: "add-on version of the project", edits: dev("cluster/addons", map[string]any{"vpc-cni": "v1.22.4"})},
	{name: "nodes newer than the control plane", edits: map[string]any{"gitops/environments/dev/cluster/version": "1.35", "gitops/environments/dev/nodes/version": "1.36"}},
	{name: "nodes two versions behind", edits: map[string]any{"gitops/environments/dev/cluster/version": "1.36", "gitops/environments/dev/nodes/version": "1.34"}},
	{name: "nodes of an unknown version", edits: dev("nodes/version", "1.33")},
	{name: "image release as a date", edits: dev("nodes/release", "20260930")},
	{name: "image release of another version", edits: dev("nodes/release", "1.35.8-20260930")},
	{name: "API open to the world", edits: dev("cluster/publicAccessCidrs", []string{"0.0.0.0/0"})},
	{name: "API open to private addresses", edits: dev("cluster/publicAccessCidrs", []string{"10.0.0.0/8"})},
	{name: "API blocks overlap", edits: dev("cluster/publicAccessCidrs", []string{"203.0.113.0/24", "203.0.113.7/32"})},
	{name: "API address without a prefix", edits: dev("cluster/publicAccessCidrs", []string{"203.0.113.7"})},
	{name: "API block with host bits", edits: dev("cluster/publicAccessCidrs", []string{"203.0.113.7/24"})},
	{name: "administrator is a session", edits: dev("cluster/admins", []string{"arn:aws:sts::111111111111:assumed-role/Admin/me"})},
	{name: "administrator is the account", edits: dev("cluster/admins", []string{"arn:aws:iam::111111111111:root"})},
	{name: "administrator with a wildcard", edits: dev("cluster/admins", []string{"arn:aws:iam::111111111111:role/*"})},
	{name: "administrator of another partition", edits: dev("cluster/admins", []string{"arn:aws-cn:iam::111111111111:role/Admin"})},
	{name: "administrator twice", edits: dev("cluster/viewers", []string{"arn:aws:iam::111111111111:role/Admin"})},
	{name: "administrator is not text", edits: dev("cluster/admins", []any{1})},
	{name: "service block public", edits: dev("cluster/serviceCidr", "9.0.0.0/16")},
	{name: "unknown architecture", edits: dev("nodes/architecture", "amd64")},
	{name: "instance types of the other architecture", edits: dev("nodes/instanceTypes", []string{"m7i.large", "g5.xlarge"}), problems: 2},
	{name: "Graviton for x86_64", edits: map[string]any{"gitops/environments/dev/nodes/architecture": "x86_64", "gitops/environments/dev/nodes/instanceTypes": []string{"g5g.xlarge"}}},
	{name: "no instance types", edits: dev("nodes/instanceTypes", []string{})},
	{name: "instance type without a size", edits: dev("nodes/instanceTypes", []string{"m7g"})},
	{name: "instance type too small", edits: dev("nodes/instanceTypes", []string{"t4g.nano"})},
	{name: "more nodes at least than at most", edits: dev("nodes", map[string]any{"min": 5, "max": 3})},
	{name: "no nodes", edits: dev("nodes/min", 0)},
	{name: "half a node", edits: dev("nodes/min", 1.5)},
	{name: "disk as text", edits: dev("nodes/diskGiB", "50")},
	{name: "disk too small", edits: dev("nodes/diskGiB", 8)},
	{name: "database class without db", edits: dev("ghost/database/instanceClass", "t4g.small")},
	{name: "database class unknown", edits: dev("ghost/database/instanceClass", "small")},
	{name: "Multi-AZ misspelt", edits: dev("ghost/database/multiAZ", true)},
	{name: "Multi-AZ as a number", edits: dev("ghost/database/multiAz", 1)},
	{name: "storage too small", edits: dev("ghost/database/storageGiB", 10)},
	{name: "storage cannot grow", edits: dev("ghost/database", map[string]any{"storageGiB": 100, "maxStorageGiB": 100})},
	{name: "password that never changes", edits: dev("ghost/database/rotationDays", 0)},
	{name: "no backups", edits: dev("ghost/database/backupDays", 0)},
	{name: "few backups with protection", edits: map[string]any{"gitops/environments/production/ghost": map[string]any{"database": map[string]any{"backupDays": 1}}}},
	{name: "shared database too small", edits: dev("databases/postgres/storageGiB", 10)},
	{name: "shared database of an unknown engine", edits: dev("databases/oracle", map[string]any{})},
	{name: "shared database with few backups and protection", edits: map[string]any{"gitops/environments/production/databases": map[string]any{"mysql": map[string]any{"backupDays": 1}}}},
	{name: "snapshot with a blank", edits: dev("ghost/snapshot", "last one")},
	{name: "mail as text", edits: dev("ghost/mail", "ses")},
	{name: "mail by an unknown way", edits: dev("ghost/mail/transport", "sendgrid")},
	{name: "mail through port 25", edits: dev("ghost/mail", map[string]any{"transport": "smtp", "port": 25})},
	{name: "mail from a name", edits: dev("ghost/mail/from", "Blog <blog@dev.example.com>")},
	{name: "mail from an address in upper case", edits: dev("ghost/mail/from", "Blog@dev.example.com")},
	{name: "mail from a variable", edits: dev("ghost/mail/from", "${user}@dev.example.com")},
	{name: "mail from a host without a domain", edits: dev("ghost/mail", map[string]any{"transport": "smtp", "from": "blog@mail"})},
	{name: "mail by SES in China", edits: dev("region", "cn-north-1"), problems: 2},
	{name: "mail by SES from elsewhere", edits: dev("ghost/mail/from", "blog@example.com")},
	{name: "mail by SES from a domain that ends alike", edits: dev("ghost/mail/from", "blog@mydev.example.com")},
	{name: "no images", edits: dev("ghost/keepImages", 0)},
	{name: "tag of AWS", edits: dev("tags", map[string]any{"aws:owner": "me"})},
	{name: "more tags than AWS takes", edits: dev("tags", manyTags(52))},
	{name: "tag that is there already", edits: dev("tags", map[string]any{"environment": "dev"})},
	{name: "tag that is not text", edits: dev("tags", map[string]any{"cost-center": 4711})},
	{name: "no paths", edits: set("gitops/repository/paths", map[string]any{"deploy": []string{}})},
	{name: "more paths than CodePipeline takes", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}})},
	{name: "more paths than the gate leaves", edits: map[string]any{
		"gitops/repository/paths": map[string]any{"deploy": []string{"a", "b", "c", "d", "e", "f", "g", "h"}}, "gitops/environments/dev/delivery": map[string]any{"connectionArn": connection("111111111111")}}},
	{name: "absolute path", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"/dockerbuild/**"}})},
	{name: "path twice", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"dockerbuild/**", "dockerbuild/**"}})},
	{name: "paths of an unknown pipeline", edits: set("gitops/repository/paths", map[string]any{"deployment": []string{"x"}})},
	{name: "connection of another account", edits: set("gitops/repository/connectionArn", connection("111111111111"))},
	{name: "connection of an environment in another account", edits: dev("delivery", map[string]any{"connectionArn": connection("222222222222")})},
	{name: "connection of an environment without a connection's ARN", edits: dev("delivery", map[string]any{"connectionArn": "github"})},
	{name: "approval without a connection", edits: dev("delivery", map[string]any{"approval": true})},
	{name: "path pattern with an open set", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"docker[a-z"}})},
	{name: "path pattern with open alternatives", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"{a,b/**", "a}"}}), problems: 2},
	{name: "path patterns nested and backwards", edits: set("gitops/repository/paths", map[string]any{"dockerbuild": []string{"{a,{b,c}}/**", "v[z-a]"}}), problems: 2},
	{name: "empty connection", edits: dev("delivery", map[string]any{"connectionArn": ""})},
	{name: "pipelines' settings without a connection", edits: dev("delivery", map[string]any{"imageUpdates": "commit"})},
	{name: "rehearsal without the review", edits: dev("delivery", map[string]any{"connectionArn": connection("111111111111"), "review": false, "rehearsal": true})},
	{name: "rollback without the gate", edits: dev("delivery", map[string]any{"connectionArn": connection("111111111111"), "gate": false, "rollback": true})},
	{name: "approval as text", edits: dev("delivery", map[string]any{"approval": "yes"})},
	{name: "no targets to test", edits: dev("delivery", map[string]any{"test": "check; rm -rf /"})},
	{name: "unknown image updates", edits: dev("delivery", map[string]any{"imageUpdates": "pullrequest"})},
	{name: "images from nowhere", edits: imagesFrom("stage", nil)},
	{name: "images from itself", edits: imagesFrom("production", nil)},
	{name: "images from an environment without pipelines", edits: imagesFrom("dev", map[string]any{"gitops/environments/dev/delivery": absent{}})},
	{name: "images from one that copies them, too", edits: imagesFrom("dev", map[string]any{"gitops/environments/dev/delivery/imagesFrom": "production"}), problems: 2},
	{name: "images from another repository", edits: imagesFrom("dev", map[string]any{"gitops/environments/dev/repositoryUrl": "https://git.example.com/platform.git"})},
	{name: "images from another partition", edits: imagesFrom("dev", map[string]any{"gitops/environments/dev/region": "us-gov-west-1"}), problems: 2},
	{name: "images from there and from Flux", edits: imagesFrom("dev", map[string]any{"gitops/environments/production/delivery/imageUpdates": "commit"})},
	{name: "images without a connection", edits: imagesFrom("dev", map[string]any{"gitops/environments/production/delivery/connectionArn": absent{}})},
	{name: "notification to a channel", edits: dev("delivery", map[string]any{"connectionArn": connection("111111111111"), "notify": []string{"#platform"}})},
	{name: "notification twice", edits: dev("delivery", map[string]any{"connectionArn": connection("111111111111"), "notify": []string{"a@example.com", "a@example.com"}})},
	{name: "build logs for a week and a half", edits: dev("delivery", map[string]any{"logDays": 10})},
	{name: "rehearsal without the environment of one machine", edits: map[string]any{
		"gitops/environments/dev/delivery": map[string]any{"connectionArn": connection("111111111111"), "rehearsal": true},
		"gitops/environments/local":        absent{},
	}},
	{name: "window without the gate", edits: dev("delivery", window("gate", false, "hours", "09:00-17:00"))},
	{name: "window that says nothing", edits: dev("delivery", window("", nil, "timeZone", "Europe/Berlin"))},
	{name: "window on a day in lower case, and twice on another", edits: dev("delivery", window("", nil, "days", []string{"mon", "TUE", "TUE"})), problems: 2},
	{name: "window with minutes", edits: dev("delivery", window("", nil, "hours", "09:30-17:00"))},
	{name: "window after the end of the day", edits: dev("delivery", window("", nil, "hours", "09:00-25:00"))},
	{name: "window that never opens", edits: dev("delivery", window("", nil, "hours", "09:00-09:00"))},
	{name: "window over midnight", edits: dev("delivery", window("", nil, "hours", "22:00-04:00"))},
	{name: "window in a zone that is none", edits: dev("delivery", window("", nil, "hours", "09:00-17:00", "timeZone", "Europe/Bärlin"))},
	{name: "window in an abbreviated zone", edits: dev("delivery", window("", nil, "hours", "09:00-17:00", "timeZone", "CET"))},
	{name: "frozen on a day that is none", edits: dev("delivery", window("", nil, "frozen", []string{"2026-02-30", "24.12.2026"})), problems: 2},
	{name: "frozen range reversed", edits: dev("delivery", window("", nil, "frozen", []string{"2027-01-03/2026-12-20"}))},
	{name: "frozen twice", edits: dev("delivery", window("", nil, "frozen", []string{"2026-12-24", "2026-12-24"}))},
	{name: "backups of what may be destroyed", edits: dev("backup", map[string]any{"enabled": true})},
	{name: "backups for a day", edits: production("backup", map[string]any{"days": 1})},
	{name: "copies of no backups", edits: dev("backup", map[string]any{"copyTo": "eu-central-1"})},
	{name: "copies in the same region", edits: production("backup", map[string]any{"copyTo": "eu-west-1"})},
	{name: "copies in a region that is none", edits: production("backup", map[string]any{"copyTo": "eu-centrl-1"})},
	{name: "copies in another partition", edits: production("backup", map[string]any{"copyTo": "us-gov-west-1"})},
	{name: "drill without a build", edits: production("backup", map[string]any{"drill": map[string]any{"services": []string{"ghost"}}})},
	{name: "drill of nothing", edits: drill("services", []string{})},
	{name: "drill without services", edits: drill("services", absent{})},
	{name: "drill of a service twice, and of one by its file", edits: drill("services", []string{"ghost", "ghost", "orders.yaml"}), problems: 2},
	{name: "drill by a cron expression of Unix", edits: drill("schedule", "0 4 * * 0")},
	{name: "tag of the backups", edits: dev("tags", map[string]any{"backup": "no"})},
	{name: "alerts to a program that is none", edits: dev("alerts/webhook", "slak")},
	{name: "alerts by a fact", edits: dev("facts", map[string]string{"ALERTS_WEBHOOK": "webhook"})},
	{name: "alerts to a topic that nobody makes", edits: dev("alerts", map[string]any{"sns": true})},
	{name: "alerts' address by a fact", edits: dev("facts", map[string]string{"ALERTS_SNS_ADDRESS": "https://example.com"})},
	{name: "commit status of another address", edits: map[string]any{"gitops/environments/dev/repositoryUrl": "https://git.example.com/platform.git", "gitops/environments/dev/alerts": map[string]any{"commitStatus": true}}},
	{name: "budget below nothing", edits: dev("cost/budget", -1)},
	{name: "budget as text", edits: dev("cost/budget", "500")},
	{name: "anomalies by a bool", edits: dev("cost/anomalies", true)},
	{name: "anomalies of what is none", edits: dev("cost/anomalies", "services")},
	{name: "anomalies from nothing", edits: dev("cost/anomaliesFrom", 0)},
	{name: "anomalies by another ARN", edits: dev("cost/anomalies", "arn:aws:ce::111111111111:anomalysubscription/01234567-89ab-cdef-0123-456789abcdef")},
	{name: "anomalies of another account", edits: dev("cost/anomalies", "arn:aws:ce::222222222222:anomalymonitor/01234567-89ab-cdef-0123-456789abcdef")},
	{name: "anomalies of one account twice", edits: map[string]any{
		"gitops/environments/dev/cost": map[string]any{"anomalies": "account"}, "gitops/environments/production/cost": map[string]any{"anomalies": "account"},
		"gitops/environments/production/account": "111111111111", "gitops/environments/production/cluster": absent{},
	}},
	{name: "budget where CloudFormation makes none", edits: map[string]any{
		"gitops/environments/dev/cost": map[string]any{"budget": 500}, "gitops/environments/dev/region": "eu-north-1",
	}},
	{name: "anomalies where CloudFormation watches for none", edits: map[string]any{
		"gitops/environments/dev/cost": map[string]any{"anomalies": "account"}, "gitops/environments/dev/region": "mx-central-1",
	}},
	{name: "budget in another partition", edits: map[string]any{
		"gitops/environments/dev/cost": map[string]any{"budget": 500}, "gitops/environments/dev/region": "us-gov-west-1", "gitops/environments/dev/cluster/admins": []string{},
	}},
	{name: "drift every few minutes", edits: dev("drift/schedule", "rate(10 minutes)")},
	{name: "drift each hour, in the plural", edits: dev("drift/schedule", "rate(1 hours)")},
	{name: "drift by five fields", edits: dev("drift/schedule", "cron(0 5 * * *)")},
	{name: "drift on two kinds of days", edits: dev("drift/schedule", "cron(0 5 * * * *)")},
	{name: "drift each minute", edits: dev("drift/schedule", "cron(* 5 * * ? *)")},
	{name: "drift put back by nobody", edits: dev("drift", map[string]any{"schedule": "off", "repair": true})},
	{name: "drift switched off by a bool", edits: dev("drift/schedule", false)},
	{name: "two reviews of one branch", edits: map[string]any{
		"gitops/environments/dev/delivery":        map[string]any{"connectionArn": connection("111111111111")},
		"gitops/environments/production/delivery": map[string]any{"connectionArn": connection("222222222222")},
		"gitops/environments/production/branch":   "main",
	}},
	{name: "replacement allowed without a day", edits: dev("allowReplacement", []any{allowance("until", absent{})})},
	{name: "replacement allowed for ever", edits: dev("allowReplacement", []any{allowance("until", "never")})},
	{name: "replacement allowed until a day that is none", edits: dev("allowReplacement", []any{allowance("until", "2026-02-30")})},
	{name: "replacement allowed with a time", edits: dev("allowReplacement", []any{allowance("until", "2026-12-31T00:00:00Z")})},
	{name: "replacement allowed without a reason", edits: dev("allowReplacement", []any{allowance("reason", absent{})})},
	{name: "replacement allowed with an empty reason", edits: dev("allowReplacement", []any{allowance("reason", "ok")})},
	{name: "replacement of nothing", edits: dev("allowReplacement", []any{allowance("resource", absent{})})},
	{name: "replacement of a whole stack", edits: dev("allowReplacement", []any{allowance("resource", "dev/ghost")})},
	{name: "replacement of anything", edits: dev("allowReplacement", []any{allowance("resource", "dev/ghost/*")})},
	{name: "replacement in another environment", edits: dev("allowReplacement", []any{allowance("resource", "production/ghost/GhostMySQLDatabaseE30388B3")})},
	{name: "replacement allowed twice", edits: dev("allowReplacement", []any{allowance("", nil), allowance("", nil)})},
	{name: "replacements as an object", edits: dev("allowReplacement", allowance("", nil))},
	{name: "replacement as text", edits: dev("allowReplacement", []any{"dev/ghost/GhostMySQLDatabaseE30388B3"})},
	{name: "unknown key of a replacement", edits: dev("allowReplacement", []any{allowance("because", "it is old")})},
	{name: "null", edits: dev("network", nil)},
	{name: "many at once", edits: map[string]any{
		"gitops/environments/dev/account": "1", "gitops/environments/dev/region": "x", "gitops/environments/dev/network/cidr": "x",
		"gitops/environments/production/nodes/instanceTypes": []string{"x"}, "gitops/repository/owner": "-",
	}, problems: 5},
}

// manyTags are n valid tags.
func manyTags(n int) map[string]any {
	tags := map[string]any{}
	for i := range n {
		tags[fmt.Sprintf("tag-%d", i)] = "x"
	}
	return tags
}

// set is one edit.
func set(path string, value any) map[string]any { return map[string]any{path: value} }

// dev is one edit of environment dev.
func dev(path string, value any) map[string]any { return set("gitops/environments/dev/"+path, value) }

// production is one edit of environment production.
func production(path string, value any) map[string]any {
	return set("gitops/environments/production/"+path, value)
}

// drill is a drill of production, whose pipelines are there, with one edit.
func drill(key string, value any) map[string]any {
	return map[string]any{
		"gitops/environments/production/delivery":            map[string]any{"connectionArn": connection("222222222222")},
		"gitops/environments/production/backup":              map[string]any{"drill": map[string]any{"services": []string{"ghost"}}},
		"gitops/environments/production/backup/drill/" + key: value,
	}
}

// imagesFrom lets production run the images of an environment, after which come more edits.
func imagesFrom(source string, more map[string]any) map[string]any {
	edits := map[string]any{
		"gitops/environments/dev/delivery":        map[string]any{"connectionArn": connection("111111111111")},
		"gitops/environments/production/delivery": map[string]any{"connectionArn": connection("222222222222"), "imagesFrom": source},
	}
	maps.Copy(edits, more)
	return edits
}

// connection is a connection of an account.
func connection(account string) string {
	return "arn:aws:codeconnections:eu-west-1:" + account + ":connection/01234567-89ab-cdef-0123-456789abcdef"
}

// allowance is a valid entry of allowReplacement with one edit.
func allowance(key string, value any) map[string]any {
	entry := map[string]any{"resource": "dev/ghost/GhostMySQLDatabaseE30388B3", "until": "2026-12-31", "reason": "restored from the snapshot"}
	if _, remove := value.(absent); remove {
		delete(entry, key)
	} else if key != "" {
		entry[key] = value
	}
	return entry
}

// environment is a valid environment.
func environment(cidr, domain string) map[string]any {
	return map[string]any{
		"account": "111111111111", "region": "eu-west-1", "domain": domain, "branch": "main", "network": map[string]any{"cidr": cidr},
	}
}

// window is a delivery with one more key, if it has a name, and a window of the keys and values.
func window(key string, value any, pairs ...any) map[string]any {
	of := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		of[pairs[i].(string)] = pairs[i+1]
	}
	delivery := map[string]any{"connectionArn": connection("111111111111"), "window": of}
	if key != "" {
		delivery[key] = value
	}
	return delivery
}

// rehearsed is data of a rehearsal in the database orders, unless it names another.
func rehearsed(data map[string]any) []any {
	all := map[string]any{"database": "orders"}
	maps.Copy(all, data)
	return []any{all}
}
