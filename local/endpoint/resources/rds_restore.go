package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lib/pq"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// restoredInstance is an instance that was restored beside others. All instances of an engine share one server here, so its database
// and its administrator have names of their own, and not those of the snapshot as with RDS.
type restoredInstance struct {
	// Of is what the snapshot says.
	Of snapshot
	// Name is that of the database and of the administrator.
	Name string
}

func (s *Services) restoredFile(instance string) string {
	return filepath.Join(s.SnapshotDir, "instance-"+instance+".json")
}

// restoredAs is what an instance was restored as; false: it was not.
func (s *Services) restoredAs(instance string) (restoredInstance, bool, error) {
	raw, err := os.ReadFile(s.restoredFile(instance))
	if errors.Is(err, fs.ErrNotExist) || s.SnapshotDir == "" {
		return restoredInstance{}, false, nil
	}
	var of restoredInstance
	if err == nil {
		err = json.Unmarshal(raw, &of)
	}
	return of, err == nil, err
}

// RestoreInstance brings the data of a snapshot into an instance that moto has made of it.
func (s *Services) RestoreInstance(ctx context.Context, instance, id string) error {
	of, err := s.snapshot(snapshotOf(id))
	if err != nil {
		return err
	}
	r := restoredInstance{Of: of, Name: copied(instance)[len("snapshot-"):]}
	r.Name = "r" + r.Name[:15] // RDS for MySQL's users have 16 characters
	raw, err := json.Marshal(r)
	if err == nil {
		err = atomicfile.Write(s.restoredFile(instance), raw, 0o600)
	}
	if err != nil {
		return err
	}
	return s.fill(ctx, Properties{"DBSnapshotIdentifier": id}, Properties{"Engine": of.Engine, "DBName": r.Name})
}

// SetPassword gives the administrator of a restored instance a password. Of others CloudFormation's calls do it.
func (s *Services) SetPassword(ctx context.Context, instance, password string) error {
	r, restored, err := s.restoredAs(instance)
	if err != nil || !restored || password == "" {
		return err
	}
	p := Properties{"Engine": r.Of.Engine, "MasterUsername": r.Name, "MasterUserPassword": password, "DBName": r.Name}
	if err := s.provisionDatabase(ctx, p); err != nil || r.Of.Engine != postgresEngine {
		return err
	}
	// What is in the database is its former administrator's, and with RDS this one is the same.
	server, err := s.server(ctx, r.Of.Engine)
	if err != nil {
		return err
	}
	return server.execute(ctx, r.Of.Engine, []statement{{
		text:   "GRANT " + pq.QuoteIdentifier(r.Of.MasterUsername) + " TO " + pq.QuoteIdentifier(r.Name),
		unless: "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(r.Of.MasterUsername) + ")",
	}})
}

// RemoveInstance drops what RestoreInstance made, of an instance that is deleted.
func (s *Services) RemoveInstance(ctx context.Context, instance string) error {
	r, restored, err := s.restoredAs(instance)
	if err != nil || !restored {
		return err
	}
	if err := s.dropDatabase(ctx, Properties{"Engine": r.Of.Engine, "MasterUsername": r.Name, "DBName": r.Name}); err != nil {
		return err
	}
	return os.Remove(s.restoredFile(instance))
}

// Instance is where an instance's server is, and under which names a restored one goes; false: it is as moto says.
func (s *Services) Instance(instance, engine string) (host string, port int, name string, restored bool, err error) {
	host, port = s.databaseEndpoint(engine)
	r, restored, err := s.restoredAs(instance)
	if err != nil {
		err = fmt.Errorf("instance %s: %w", instance, err)
	}
	return host, port, r.Name, restored, err
}
