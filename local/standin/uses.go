package standin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq" // database/sql finds it by its name

	"k8s-plus-aws-gitops/internal/httpbody"
)

// uses are what a service has in AWS, found as its pods find it: by the variables of docs/guides/your-application.md, and with
// the credentials of the role.
type uses struct {
	getenv func(string) string
	db     func() (*sql.DB, error)
}

func newUses(getenv func(string) string) *uses {
	u := &uses{getenv: getenv}
	u.db = sync.OnceValues(u.open)
	return u
}

// open connects to the database, whose server's certificate it checks. PostgreSQL's address says by what; for MySQL there is the
// variable.
func (u *uses) open() (*sql.DB, error) {
	if address := u.getenv("DATABASE_URL"); strings.HasPrefix(address, "postgres://") {
		return sql.Open("postgres", address)
	}
	certificates, err := os.ReadFile(u.getenv("DATABASE_CA"))
	if err != nil {
		return nil, fmt.Errorf("DATABASE_CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, errors.New("DATABASE_CA: there is no certificate in it")
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(u.getenv("DATABASE_HOST"), u.getenv("DATABASE_PORT"))
	c.User, c.Passwd, c.DBName = u.getenv("DATABASE_USER"), u.getenv("DATABASE_PASSWORD"), u.getenv("DATABASE_NAME")
	c.TLS = &tls.Config{RootCAs: pool, ServerName: u.getenv("DATABASE_HOST"), MinVersion: tls.VersionTLS12}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// cloud is AWS as EKS Pod Identity shows it to a pod: region, credentials of the role, and here the endpoint. The SDK's package
// config would find the same, and in another version than the other programs of the set have.
func (u *uses) cloud() aws.Config {
	return aws.Config{
		Region: u.getenv("AWS_REGION"), BaseEndpoint: aws.String(u.getenv("AWS_ENDPOINT_URL")), HTTPClient: httpbody.Client(),
		Credentials: aws.NewCredentialsCache(endpointcreds.New(u.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), func(o *endpointcreds.Options) {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(u.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
				return string(token), err
			})
		})),
	}
}

// row runs statements, and returns the first value of the last one's first row.
func (u *uses) row(ctx context.Context, statements ...string) (string, error) {
	db, err := u.db()
	if err != nil {
		return "", err
	}
	for _, s := range statements[:len(statements)-1] {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return "", fmt.Errorf("database: %w", err)
		}
	}
	var value string
	if err := db.QueryRowContext(ctx, statements[len(statements)-1]).Scan(&value); err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	return value, nil
}

// object puts a text into the bucket, and returns what is there then.
func (u *uses) object(ctx context.Context, key, text string) (string, error) {
	client := s3.NewFromConfig(u.cloud(), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String(u.getenv("BUCKET_NAME"))
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		return "", fmt.Errorf("bucket: %w", err)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		return "", fmt.Errorf("bucket: %w", err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	return string(content), err
}

// message sends a text to the queue, and returns what arrives next, which is then done.
func (u *uses) message(ctx context.Context, text string) (string, error) {
	client, queue := sqs.NewFromConfig(u.cloud()), aws.String(u.getenv("QUEUE_URL"))
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &text}); err != nil {
		return "", fmt.Errorf("queue: %w", err)
	}
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, WaitTimeSeconds: 5, MaxNumberOfMessages: 1})
	if err != nil {
		return "", fmt.Errorf("queue: %w", err)
	}
	for _, m := range got.Messages {
		_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle})
		return aws.ToString(m.Body), err
	}
	return "", fmt.Errorf("queue: nothing arrived")
}
