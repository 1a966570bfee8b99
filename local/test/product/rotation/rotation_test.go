// Package rotation tests the function of a database against real servers, MariaDB and PostgreSQL, and the local Secrets
// Manager.
package rotation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"

	"k8s-plus-aws-gitops/functions/database/rotation"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
)

// login are the fields of a secret.
type login struct {
	Engine   string `json:"engine"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	DBName   string `json:"dbname"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// world is a database of a server, the secrets of its administrator and of its user, and what rotates the latter.
type world struct {
	*rotation.Rotator
	t       *testing.T
	client  *secretsmanager.Client
	trust   []byte
	told    []string // versions that were announced
	version int
}

// newWorld makes a database as RDS makes one with an instance, and the secrets as CloudFormation does.
func newWorld(t *testing.T, s server, client *secretsmanager.Client, name string) *world {
	t.Helper()
	master := login{s.engine, "127.0.0.1", s.port, name, name, "first-" + name}
	for _, statement := range s.instance(master) {
		if _, err := s.admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	w := &world{t: t, client: client, trust: s.trust}
	w.Rotator = &rotation.Rotator{Secrets: client, Authorities: s.trust, Announce: func(_ context.Context, version string) error {
		w.told = append(w.told, version)
		return nil
	}}
	w.Master = w.secret("/test/"+name+"/database", master)
	user := master
	user.Username, user.Password = name+"_app", "generated"
	w.Secret = w.secret("/test/"+name+"/database-user", user)
	if err := w.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) secret(name string, value login) string {
	w.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.client.CreateSecret(w.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.ARN
}

// current is what the pods would get.
func (w *world) current() login {
	w.t.Helper()
	out, err := w.client.GetSecretValue(w.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &w.Secret})
	if err != nil {
		w.t.Fatal(err)
	}
	var l login
	if err := json.Unmarshal([]byte(*out.SecretString), &l); err != nil {
		w.t.Fatal(err)
	}
	return l
}

// next is the id of another version.
func (w *world) next() string {
	w.version++
	return fmt.Sprintf("%s-%032d", w.Secret[strings.LastIndex(w.Secret, "-")+1:], w.version)
}

// rotate does all steps of a version.
func (w *world) rotate(version string) error {
	for _, step := range []string{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		if err := w.Rotate(w.t.Context(), rotation.Event{Step: step, SecretId: w.Secret, ClientRequestToken: version}); err != nil {
			return err
		}
	}
	return nil
}

// do runs a statement as a login.
func (w *world) do(l login, statement string) error {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.trust)
	var db *sql.DB
	if l.Engine == "postgres" {
		address := url.URL{Scheme: "postgres", Host: net.JoinHostPort(l.Host, fmt.Sprint(l.Port)), Path: l.DBName, User: url.UserPassword(l.Username, l.Password), RawQuery: "sslmode=require"}
		opened, err := sql.Open("postgres", address.String())
		if err != nil {
			w.t.Fatal(err)
		}
		db = opened
	} else {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", net.JoinHostPort(l.Host, fmt.Sprint(l.Port)), l.Username, l.Password, l.DBName
		c.TLS = &tls.Config{RootCAs: pool, ServerName: l.Host, MinVersion: tls.VersionTLS12}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			w.t.Fatal(err)
		}
		db = sql.OpenDB(connector)
	}
	defer db.Close()
	_, err := db.ExecContext(w.t.Context(), statement)
	return err
}

// works fails the test unless a login may write to the table.
func (w *world) works(what string, l login) {
	w.t.Helper()
	if err := w.do(l, "INSERT INTO posts VALUES (1)"); err != nil {
		w.t.Errorf("%s: %s: %v", what, l.Username, err)
	}
}

// refused fails the test unless a login is refused for its password.
func (w *world) refused(what string, l login) {
	w.t.Helper()
	err := w.do(l, "SELECT 1")
	var my *mysql.MySQLError
	var pg *pq.Error
	mysqlRefuses := errors.As(err, &my) && my.Number == 1045
	postgresRefuses := errors.As(err, &pg) && pg.Code == "28P01"
	if !mysqlRefuses && !postgresRefuses {
		w.t.Errorf("%s: %s: got %v, want a refused password", what, l.Username, err)
	}
}

func newClient(t *testing.T) *secretsmanager.Client {
	t.Helper()
	return secretsmanager.NewFromConfig(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(mototest.New(t).URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// A rotation names the other user, and the former password works until the next one, which refuses it. Both users have the
// same rights on their database, and none on another.
func TestRotation(t *testing.T) {
	client := newClient(t)
	each(t, func(t *testing.T, s server) {
		w, other := newWorld(t, s, client, s.engine+"one"), newWorld(t, s, client, s.engine+"two")
		first := w.current()
		if err := w.do(first, "CREATE TABLE posts (id INT)"); err != nil {
			t.Fatal(err)
		}
		if err := other.do(other.current(), "CREATE TABLE posts (id INT)"); err != nil {
			t.Fatal(err)
		}
		if err := w.rotate(w.next()); err != nil {
			t.Fatal(err)
		}
		second := w.current()
		if second.Username != first.Username+"_clone" || second.Password == first.Password || second.Host != first.Host {
			t.Errorf("after a rotation the secret names %q, before it %q", second.Username, first.Username)
		}
		w.works("the new password", second)
		w.works("the former password, until the next rotation", first)
		if err := w.do(second, "ALTER TABLE posts ADD COLUMN title VARCHAR(9) DEFAULT ''"); err != nil {
			t.Errorf("the second user on the first one's table: %v", err)
		}
		if err := w.do(second, "ALTER TABLE posts DROP COLUMN title"); err != nil {
			t.Error(err)
		}
		if err := w.rotate(w.next()); err != nil {
			t.Fatal(err)
		}
		third := w.current()
		if third.Username != first.Username || third.Password == first.Password {
			t.Errorf("after two rotations the secret names %q, want %q with another password", third.Username, first.Username)
		}
		w.works("the third password", third)
		w.works("the second password, until the next rotation", second)
		w.refused("the first password", first)
		if len(w.told) != 2 {
			t.Errorf("announced %v, want two versions", w.told)
		}
		elsewhere := third
		elsewhere.DBName = other.current().DBName
		if err := w.do(elsewhere, "INSERT INTO posts VALUES (1)"); err == nil {
			t.Error("the user may write to another database")
		}
	})
}

// cut fails after a number of calls, each of which has been done: an interruption between a call and its answer.
type cut struct {
	rotation.Secrets
	left int
}

var errCut = errors.New("cut off")

func after[T any](c *cut, out T, err error) (T, error) {
	if c.left--; c.left <= 0 && err == nil {
		return out, errCut
	}
	return out, err
}

func (c *cut) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := c.Secrets.DescribeSecret(ctx, in, o...)
	return after(c, out, err)
}

func (c *cut) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := c.Secrets.GetSecretValue(ctx, in, o...)
	return after(c, out, err)
}

func (c *cut) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	out, err := c.Secrets.PutSecretValue(ctx, in, o...)
	return after(c, out, err)
}

func (c *cut) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, o ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	out, err := c.Secrets.UpdateSecretVersionStage(ctx, in, o...)
	return after(c, out, err)
}

// A rotation that is cut off after any of its calls is repeated with the same version, and ends as one that was not. All the
// time the password of the secret works.
func TestInterruptedRotation(t *testing.T) {
	client := newClient(t)
	each(t, func(t *testing.T, s server) {
		w := newWorld(t, s, client, s.engine+"cut")
		if err := w.do(w.current(), "CREATE TABLE posts (id INT)"); err != nil {
			t.Fatal(err)
		}
		cuts := 0
		for calls := 1; ; calls++ {
			before, version, limit := w.current(), w.next(), &cut{client, calls}
			w.Secrets = limit
			err := w.rotate(version)
			if err == nil {
				break // fewer calls than that
			}
			cuts++
			if !errors.Is(err, errCut) {
				t.Fatalf("after %d calls: %v", calls, err)
			}
			w.works(fmt.Sprintf("cut off after %d calls", calls), w.current())
			w.Secrets = client
			if err := w.rotate(version); err != nil {
				t.Fatalf("repeated after %d calls: %v", calls, err)
			}
			now := w.current()
			if now.Username == before.Username || now.Password == before.Password {
				t.Errorf("repeated after %d calls: the secret is as before", calls)
			}
			w.works(fmt.Sprintf("repeated after %d calls", calls), now)
			w.works("the former password", before)
			if w.told[len(w.told)-1] != version {
				t.Errorf("repeated after %d calls: %s was not announced", calls, version)
			}
		}
		if cuts < 8 {
			t.Errorf("a rotation makes %d calls of Secrets Manager, want at least 8", cuts)
		}
	})
}

// What is not to be rotated, or not by this, is refused before anything changes.
func TestRefusedRotations(t *testing.T) {
	r := &rotation.Rotator{Secret: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:a"}
	for _, c := range []struct{ step, secret, want string }{
		{rotation.CreateSecret, "arn:aws:secretsmanager:eu-west-1:111111111111:secret:b", "the secret must be"},
		{"dropSecret", r.Secret, "the step must be one of createSecret, finishSecret, setSecret, testSecret"},
	} {
		err := r.Rotate(t.Context(), rotation.Event{Step: c.step, SecretId: c.secret, ClientRequestToken: "x"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: got %v, want %q", c.step, c.secret, err, c.want)
		}
	}
}

// The function signs in to no server that cannot prove who it is.
func TestUnknownServer(t *testing.T) {
	client := newClient(t)
	each(t, func(t *testing.T, s server) {
		w := newWorld(t, s, client, s.engine+"tls")
		w.Authorities = foreign(t)
		if err := w.rotate(w.next()); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("got %v", err)
		}
	})
}
