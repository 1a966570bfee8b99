//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/report"
)

func (s *system) aws() (aws.Config, error) {
	ports, err := s.dir.LoadPorts()
	return deploy.Config(ports.URL(layout.AWS)), err
}

// get asks a host under localhost through the load balancer, over HTTPS.
func (s *system) get(ctx context.Context, host, path string) (int, string, error) {
	return s.request(ctx, http.MethodGet, host, path, nil)
}

func (s *system) request(ctx context.Context, method, host, path string, body any) (int, string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return 0, "", err
	}
	client, err := report.Client(s.dir, ports)
	if err != nil {
		return 0, "", err
	}
	defer client.CloseIdleConnections()
	client.Timeout = 3 * time.Minute // a slow answer on a busy machine is no failed one
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	origin := fmt.Sprintf("https://%s.localhost:%d", host, ports[layout.HTTPS])
	req, err := http.NewRequestWithContext(ctx, method, origin+path, bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Origin", origin)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.cookie != "" {
		req.Header.Set("Cookie", s.cookie)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for _, c := range resp.Cookies() {
		s.cookie = c.Name + "=" + c.Value
	}
	return resp.StatusCode, string(text), err
}

// startLoad requests Ghost's front page without a pause until the returned
// function is called, which tells how many requests there were and which
// failed.
func (s *system) startLoad(ctx context.Context) func() (int, []string) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total, failed := 0, []string(nil)
	quiet := &system{dir: s.dir}
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				code, text, err := quiet.get(ctx, "ghost", "/")
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				total++
				if err != nil || code != http.StatusOK {
					failed = append(failed, fmt.Sprintf("%s: %d %v %.100s", time.Now().Format("15:04:05.000"), code, err, text))
				}
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return total, failed
	}
}

// tables counts the tables of Ghost's database, asked as Ghost: with the
// credentials from Secrets Manager, over TLS.
func (s *system) tables(ctx context.Context) (int, error) {
	db, err := s.databaseLogin(ctx)
	if err != nil {
		return 0, err
	}
	return s.count(ctx, db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?", db.DBName)
}

// databaseLogin is how somebody signs in to a database.
type databaseLogin struct {
	Host, Username, Password, DBName string
	Port                             json.RawMessage
}

// databaseLogin is how Ghost signs in now.
func (s *system) databaseLogin(ctx context.Context) (databaseLogin, error) {
	return s.login(ctx, "/local/ghost/database-user")
}

// login reads a secret with a database's credentials.
func (s *system) login(ctx context.Context, secret string) (databaseLogin, error) {
	var db databaseLogin
	c, err := s.aws()
	if err != nil {
		return db, err
	}
	got, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		return db, err
	}
	return db, json.Unmarshal([]byte(aws.ToString(got.SecretString)), &db)
}

// database connects with the credentials of a secret, and returns the database's name.
func (s *system) database(ctx context.Context, secret string) (*sql.DB, string, error) {
	db, err := s.login(ctx, secret)
	if err != nil {
		return nil, "", err
	}
	conn, err := s.connect(db)
	return conn, db.DBName, err
}

// count signs in to Ghost's database and asks for one number.
func (s *system) count(ctx context.Context, db databaseLogin, query string, args ...any) (int, error) {
	conn, err := s.connect(db)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var n int
	err = conn.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// connect signs in to a database, over TLS.
func (s *system) connect(db databaseLogin) (*sql.DB, error) {
	pem, err := os.ReadFile(s.dir.Path("ca", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", db.Host+":"+strings.Trim(string(db.Port), `"`)
	config.User, config.Passwd, config.DBName = db.Username, db.Password, db.DBName
	config.TLS = &tls.Config{RootCAs: pool, ServerName: db.Host, MinVersion: tls.VersionTLS12}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// multiAZ reports whether Ghost's database has a standby.
func (s *system) multiAZ(ctx context.Context) (bool, error) {
	c, err := s.aws()
	if err != nil {
		return false, err
	}
	got, err := rds.NewFromConfig(c).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String("local-ghost")})
	if err != nil {
		return false, err
	}
	if len(got.DBInstances) != 1 {
		return false, fmt.Errorf("%d DB instances", len(got.DBInstances))
	}
	return aws.ToBool(got.DBInstances[0].MultiAZ), nil
}

func (s *system) replicas(ctx context.Context) (int, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return 0, err
	}
	d, err := c.Kube.AppsV1().Deployments("ghost").Get(ctx, "ghost", metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	return int(d.Status.ReadyReplicas), nil
}

// post signs up the owner, signs in and publishes a post through Ghost's Admin
// API, as its editor does.
func (s *system) post(ctx context.Context, title string) error {
	setup := map[string]string{"name": "Owner", "email": owner, "password": password, "blogTitle": "Scenario"}
	if _, err := s.call(ctx, http.MethodPost, "/authentication/setup/", map[string]any{"setup": []any{setup}}, http.StatusCreated); err != nil {
		return err
	}
	// Whoever has never signed in needs no code.
	if err := s.signIn(ctx, owner, http.StatusCreated); err != nil {
		return err
	}
	text, err := s.call(ctx, http.MethodPost, "/posts/?source=html", map[string]any{"posts": []any{
		map[string]string{"title": title, "html": "<p>It must still be here afterwards.</p>", "status": "published"},
	}}, http.StatusCreated)
	if err != nil {
		return err
	}
	var got struct{ Posts []struct{ Slug string } }
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Posts) != 1 {
		return fmt.Errorf("unexpected answer: %.300s", text)
	}
	s.slug = got.Posts[0].Slug
	// The other replica learns of a new post's address only when it starts.
	_, err = s.gitops(ctx, "local", "status")
	return err
}

// hasPost looks for the post in the API that reads the database, if one was written.
func (s *system) hasPost(ctx context.Context) error {
	if s.slug == "" {
		return nil
	}
	code, text, err := s.get(ctx, "ghost", "/ghost/api/admin/posts/slug/"+s.slug+"/")
	if err != nil {
		return err
	}
	if code != http.StatusOK || !strings.Contains(text, s.slug) {
		return fmt.Errorf("the post is gone: %d %.200s", code, text)
	}
	return nil
}
