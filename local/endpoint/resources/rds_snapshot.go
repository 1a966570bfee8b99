package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/lib/pq"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// snapshot is what an instance that is restored has from its snapshot, and RDS shows of none.
type snapshot struct{ Engine, MasterUsername, DBName string }

// errNoSnapshot is RDS' code.
var errNoSnapshot = errors.New("DBSnapshotNotFound")

// snapshotOf is a snapshot's identifier, of its ARN too.
func snapshotOf(id string) string {
	if _, name, isARN := strings.Cut(id, ":snapshot:"); isARN {
		return name
	}
	return id
}

func (s *Services) snapshotFile(id string) string { return filepath.Join(s.SnapshotDir, id+".json") }

// copied is where a snapshot's data lies: a database of PostgreSQL's server or a file of MariaDB's. Both have short names.
func copied(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "snapshot-" + hex.EncodeToString(sum[:])[:16]
}

// KeepSnapshot copies the database of an instance of which a snapshot has been made.
func (s *Services) KeepSnapshot(ctx context.Context, instance, id string) error {
	out, err := s.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &instance})
	if err != nil {
		return err
	}
	db, err := onlyOne(out.DBInstances, nil, "database instance "+instance)
	if err != nil {
		return err
	}
	of := snapshot{aws.ToString(db.Engine), aws.ToString(db.MasterUsername), aws.ToString(db.DBName)}
	database := of.DBName
	if r, restored, err := s.restoredAs(instance); err != nil {
		return err
	} else if restored {
		of, database = r.Of, r.Name
	}
	server, err := s.server(ctx, of.Engine)
	if err != nil {
		return err
	}
	switch {
	case of.DBName == "":
		err = errors.New("an instance without a database of its own, such as one that services share, has no snapshot here")
	case of.Engine == postgresEngine:
		err = server.keepPostgres(ctx, database, copied(id))
	case server.Dump == nil:
		err = errors.New("the local database server takes no snapshots")
	default:
		err = server.Dump(ctx, database, copied(id))
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", id, err)
	}
	raw, err := json.Marshal(of)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.SnapshotDir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(s.snapshotFile(id), raw, 0o600)
}

// snapshot is one that KeepSnapshot kept.
func (s *Services) snapshot(id string) (snapshot, error) {
	raw, err := os.ReadFile(s.snapshotFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot{}, fmt.Errorf("%w: DBSnapshot %s not found", errNoSnapshot, id)
	}
	if err != nil {
		return snapshot{}, err
	}
	var of snapshot
	return of, json.Unmarshal(raw, &of)
}

// ForgetSnapshot removes what KeepSnapshot kept.
func (s *Services) ForgetSnapshot(ctx context.Context, id string) error {
	of, err := s.snapshot(id)
	if err != nil {
		return err
	}
	server, err := s.server(ctx, of.Engine)
	if err != nil {
		return err
	}
	if of.Engine == postgresEngine {
		err = server.execute(ctx, of.Engine, []statement{{text: dropPostgres(copied(id))}})
	} else if server.Dump != nil {
		err = server.Forget(copied(id))
	}
	if err != nil {
		return err
	}
	return os.Remove(s.snapshotFile(id))
}

// restored adds to the properties of an instance what its snapshot says, if it is to be made of one.
func (s *Services) restored(p Properties) (Properties, error) {
	id := snapshotOf(p.String("DBSnapshotIdentifier"))
	if id == "" {
		return p, nil
	}
	for _, key := range []string{"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId"} {
		if p.Has(key) {
			return nil, fmt.Errorf("%s must be left out with DBSnapshotIdentifier: the snapshot says it", key)
		}
	}
	of, err := s.snapshot(id)
	if err != nil {
		return nil, err
	}
	if of.Engine != p.String("Engine") {
		return nil, fmt.Errorf("InvalidParameterCombination: snapshot %s is of engine %s, not of %s", id, of.Engine, p.String("Engine"))
	}
	whole := p.without("DBSnapshotIdentifier")
	whole["MasterUsername"], whole["DBName"], whole["StorageEncrypted"] = of.MasterUsername, of.DBName, true
	return whole, nil
}

// fill brings the data of a snapshot into the instance's database, before anybody uses it.
func (s *Services) fill(ctx context.Context, p, whole Properties) error {
	id, engine, name := snapshotOf(p.String("DBSnapshotIdentifier")), whole.String("Engine"), whole.String("DBName")
	if id == "" || name == "" {
		return nil
	}
	server, err := s.server(ctx, engine)
	if err != nil {
		return err
	}
	if engine == postgresEngine {
		return server.execute(ctx, engine, copyPostgres(copied(id), name))
	}
	if err := server.execute(ctx, engine, []statement{{text: "CREATE DATABASE IF NOT EXISTS " + identifier(name) + " CHARACTER SET utf8mb4"}}); err != nil {
		return err
	}
	return server.Load(ctx, name, copied(id))
}

// named adds user and database of an instance that was restored, which its template leaves to the snapshot.
func (s *Services) named(ctx context.Context, id string, p Properties) (Properties, error) {
	if !p.Has("DBSnapshotIdentifier") {
		return p, nil
	}
	out, err := s.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		return nil, err
	}
	db, err := onlyOne(out.DBInstances, nil, "database instance "+id)
	if err != nil {
		return nil, err
	}
	whole := p.without("DBSnapshotIdentifier")
	whole["MasterUsername"], whole["DBName"] = aws.ToString(db.MasterUsername), aws.ToString(db.DBName)
	return whole, nil
}

// copyPostgres makes a database of another one, with all that is in it, which nobody uses.
func copyPostgres(from, to string) []statement {
	return []statement{
		{text: "CREATE DATABASE " + pq.QuoteIdentifier(to) + " TEMPLATE " + pq.QuoteIdentifier(from), unless: "SELECT 1 FROM pg_database WHERE datname = " + pq.QuoteLiteral(to)},
		{text: "REVOKE ALL ON DATABASE " + pq.QuoteIdentifier(to) + " FROM PUBLIC"},
	}
}

// keepPostgres copies a database that is used. PostgreSQL copies none of these, so its clients are sent away for a moment, as a
// snapshot of RDS suspends them.
func (d Database) keepPostgres(ctx context.Context, from, to string) error {
	allow := func(yes string) statement {
		return statement{text: "ALTER DATABASE " + pq.QuoteIdentifier(from) + " ALLOW_CONNECTIONS " + yes}
	}
	leave := statement{text: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = " + pq.QuoteLiteral(from)}
	err := d.execute(ctx, postgresEngine, append([]statement{allow("false"), leave}, copyPostgres(from, to)...))
	return errors.Join(err, d.execute(context.WithoutCancel(ctx), postgresEngine, []statement{allow("true")}))
}
