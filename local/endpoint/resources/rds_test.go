package resources

import (
	"context"
	"database/sql"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// realDatabase starts a MariaDB of the test's own and skips the test when none
// is installed.
func realDatabase(t *testing.T) Database {
	t.Helper()
	if err := database.Installed(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(dir, "ca"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	port := freeport.Port(t)
	data := filepath.Join(dir, "data")
	cmd, err := database.Prepare(t.Context(), data, port, database.TLS{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("MariaDB cannot be started: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := database.Wait(ctx, port); err != nil {
		t.Fatal(err)
	}
	password, err := database.AdminPassword(data)
	if err != nil {
		t.Fatal(err)
	}
	return Database{Host: "127.0.0.1", Port: port, AdminUser: database.AdminUser, AdminPassword: password}
}

// login opens the database of a secret as an application would.
func login(db Database, user, password, name, tls string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(db.Host, itoa(db.Port))
	c.User, c.Passwd, c.DBName, c.TLSConfig = user, password, name, tls
	conn, err := sql.Open("mysql", c.FormatDSN())
	if err != nil {
		return nil, err
	}
	return conn, conn.Ping()
}

func itoa(n int) string { s, _ := text(n); return s }

func (s *stack) instance(id, class string, extra Properties) Properties {
	p := Properties{
		"DBInstanceIdentifier": "local-ghost", "DBInstanceClass": class, "Engine": "mysql", "EngineVersion": "8.4.6", "DBName": "ghost",
		"MasterUsername": "ghost", "MasterUserPassword": "pass'word\\1", "AllocatedStorage": "20", "MaxAllocatedStorage": 100,
		"BackupRetentionPeriod": 1, "MultiAZ": false, "StorageEncrypted": true, "StorageType": "gp3", "CopyTagsToSnapshot": true,
		"DBSubnetGroupName": s.results["Subnets"].ID, "VPCSecurityGroups": []any{s.results["Group"].ID}, "PubliclyAccessible": false,
		"EnableCloudwatchLogsExports": []any{"error", "slowquery"}, "DBParameterGroupName": s.results["Parameters"].ID,
		"DeletionProtection": false, "DeleteAutomatedBackups": true, "AutoMinorVersionUpgrade": true, "Tags": tags("app", "ghost"),
	}
	for k, v := range extra {
		p[k] = v
	}
	return p
}

func (s *stack) databaseNetwork() {
	vpc := s.vpc()
	a := s.subnet("A", vpc, "10.10.0.0/20", "eu-west-1a")
	b := s.subnet("B", vpc, "10.10.16.0/20", "eu-west-1b")
	s.create("AWS::EC2::SecurityGroup", "Group", Properties{"VpcId": vpc, "GroupDescription": "d"})
	s.create("AWS::RDS::DBSubnetGroup", "Subnets", Properties{"DBSubnetGroupDescription": "d", "SubnetIds": []any{a, b}, "Tags": tags("a", "b")})
	old := Properties{"Family": "mysql8.4", "Description": "d", "Parameters": map[string]any{"require_secure_transport": "1", "log_output": "FILE"}}
	s.create("AWS::RDS::DBParameterGroup", "Parameters", old)
	updated := old.without("Parameters")
	updated["Parameters"] = map[string]any{"require_secure_transport": "1"}
	if err := s.update("AWS::RDS::DBParameterGroup", "Parameters", old, updated); err != nil {
		s.t.Fatal(err)
	}
}

// Tags first, then the subnets, then tags again: moto forgets a group that it modifies.
func TestSubnetGroupIsUpdated(t *testing.T) {
	s := newStack(t)
	s.databaseNetwork()
	a, b := s.results["A"].ID, s.results["B"].ID
	group := func(description, tag string) Properties {
		return Properties{"DBSubnetGroupDescription": description, "SubnetIds": []any{a, b}, "Tags": tags("a", tag)}
	}
	old := group("d", "b")
	for _, updated := range []Properties{group("d", "c"), group("e", "c"), group("f", "d"), group("f", "e")} {
		if err := s.update("AWS::RDS::DBSubnetGroup", "Subnets", old, updated); err != nil {
			t.Fatal(err)
		}
		id := s.results["Subnets"].ID
		out, err := s.services.rds().DescribeDBSubnetGroups(t.Context(), &rds.DescribeDBSubnetGroupsInput{DBSubnetGroupName: &id})
		if err != nil || len(out.DBSubnetGroups) != 1 || *out.DBSubnetGroups[0].DBSubnetGroupDescription != updated.String("DBSubnetGroupDescription") {
			t.Fatalf("after %v: %+v, %v", updated, out, err)
		}
		old = updated
	}
}

func TestInstanceIsADatabaseThatAnswers(t *testing.T) {
	s := newStack(t)
	server := realDatabase(t)
	s.services.Database = server
	s.databaseNetwork()
	secret := s.create("AWS::SecretsManager::Secret", "Secret", Properties{"Name": "/local/ghost/database-test", "SecretString": `{"username":"ghost","password":"pass'word\\1"}`})
	old := s.instance("Database", "db.t4g.micro", nil)
	id := s.create("AWS::RDS::DBInstance", "Database", old)
	s.create("AWS::SecretsManager::SecretTargetAttachment", "Attachment", Properties{"SecretId": secret, "TargetId": id, "TargetType": "AWS::RDS::DBInstance"})

	fields := s.connection(secret)
	if fields.Engine != "mysql" || fields.Port != server.Port || fields.DBName != "ghost" || fields.Host != s.att("Database", "Endpoint.Address") {
		t.Errorf("secret: %+v", fields)
	}
	db, err := login(server, fields.Username, fields.Password, fields.DBName, "skip-verify")
	if err != nil {
		t.Fatalf("login with the secret: %v", err)
	}
	if _, err := db.Exec("CREATE TABLE t (a INT)"); err != nil {
		t.Error(err)
	}
	_ = db.Close()
	if _, err := login(server, fields.Username, fields.Password, fields.DBName, "false"); err == nil {
		t.Error("login without TLS was accepted")
	}

	updated := s.instance("Database", "db.t4g.small", Properties{"MultiAZ": "true", "AllocatedStorage": 30, "MasterUserPassword": "other",
		"EnableCloudwatchLogsExports": []any{"error"}, "BackupRetentionPeriod": "7"})
	if err := s.update("AWS::RDS::DBInstance", "Database", old, updated); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.rds().DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		t.Fatal(err)
	}
	got := out.DBInstances[0]
	if !aws.ToBool(got.MultiAZ) || aws.ToString(got.DBInstanceClass) != "db.t4g.small" || aws.ToInt32(got.AllocatedStorage) != 30 || aws.ToInt32(got.BackupRetentionPeriod) != 7 {
		t.Errorf("instance after the update: MultiAZ %v, class %s, %d GiB, %d days", aws.ToBool(got.MultiAZ), aws.ToString(got.DBInstanceClass),
			aws.ToInt32(got.AllocatedStorage), aws.ToInt32(got.BackupRetentionPeriod))
	}
	if db, err := login(server, "ghost", "other", "ghost", "skip-verify"); err != nil {
		t.Errorf("login with the changed password: %v", err)
	} else {
		_ = db.Close()
	}

	typ, _ := Lookup("AWS::RDS::DBInstance")
	if err := typ.Delete(t.Context(), s.request("AWS::RDS::DBInstance", "Database"), id, updated); err != nil {
		t.Fatal(err)
	}
	if _, err := login(server, "ghost", "other", "ghost", "skip-verify"); err == nil {
		t.Error("the user is there after the deletion")
	}
}

func TestUnknownInstanceClassIsRefused(t *testing.T) {
	for class, ok := range map[string]bool{
		"db.t4g.micro": true, "db.m7g.large": true, "db.r8g.48xlarge": true, "db.t9.none": false, "t4g.micro": false, "db.t4g.24xlarge": false, "": false,
	} {
		err := checkInstance(Properties{"DBInstanceClass": class, "Engine": "mysql"})
		if (err == nil) != ok {
			t.Errorf("%q: %v", class, err)
		}
		if err != nil && !strings.Contains(err.Error(), "InvalidParameterCombination") {
			t.Errorf("%q: the error lacks RDS's code: %v", class, err)
		}
	}
}

func TestUnreachableDatabaseIsNamed(t *testing.T) {
	s := &Services{Database: Database{Host: "127.0.0.1", Port: 1}}
	err := s.provisionDatabase(t.Context(), Properties{"Engine": "mysql", "MasterUsername": "u", "MasterUserPassword": "secret"})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownEngineIsRefused(t *testing.T) {
	s := &Services{Database: Database{Host: "127.0.0.1", Port: 1}}
	for _, engine := range []string{"oracle-se2", "postgres"} { // the second has no server here
		if err := s.provisionDatabase(t.Context(), Properties{"Engine": engine, "MasterUsername": "u", "MasterUserPassword": "secret"}); err == nil || !strings.Contains(err.Error(), engine) {
			t.Errorf("%s: %v", engine, err)
		}
	}
}

// connection is what a database's secret says once the database is attached to it.
type connection struct {
	Engine, Host, Username, Password, DBName string
	Port                                     int
}

func (s *stack) connection(secret string) connection {
	s.t.Helper()
	value, err := s.services.secrets().GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		s.t.Fatal(err)
	}
	var fields connection
	if err := json.Unmarshal([]byte(*value.SecretString), &fields); err != nil {
		s.t.Fatal(err)
	}
	return fields
}
