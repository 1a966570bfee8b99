//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"k8s-plus-aws-gitops/local/system/observe"
)

// subscriber takes what SNS delivers to an address: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type subscriber struct {
	mu       sync.Mutex
	messages []message
}

// message is what is read of a notification.
type message struct{ Subject, Message string }

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m message
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
}

// of fails unless a message has a subject, and what to do.
func (s *subscriber) of(subject, command string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if strings.HasPrefix(m.Subject, subject) && strings.Contains(m.Message, command) {
			return nil
		}
	}
	return fmt.Errorf("%d messages, none with the subject %s and %q: %+v", len(s.messages), subject, command, s.messages)
}

// agreed sets alerts.sns by a commit that Plan refuses for a resource, and again with the entry that the refusal offers.
func (s *system) agreed(ctx context.Context, message string, sns bool, resource string) error {
	var entries []any
	choose := func() error {
		return s.configure("local", func(e map[string]any) {
			e["alerts"] = map[string]any{"sns": sns}
			if delete(e, "allowReplacement"); len(entries) > 0 {
				e["allowReplacement"] = entries
			}
		})
	}
	if err := choose(); err != nil {
		return err
	}
	refused := s.push(ctx, message)
	if refused == nil {
		return fmt.Errorf("%s: it was released without an entry in allowReplacement", message)
	}
	all, err := s.ran(ctx, "deploy Failed")
	if err != nil {
		return err
	}
	if entries = offered(strings.Join(all[0].LogTail, "\n") + refused.Error()); len(entries) != 1 || !strings.Contains(fmt.Sprint(entries), resource) {
		return fmt.Errorf("the refusal offers %v, want an entry for %s: %w", entries, resource, refused)
	}
	if err := choose(); err != nil {
		return err
	}
	if err := s.push(ctx, message+", as agreed"); err != nil {
		return err
	}
	_, err = s.ran(ctx, "deploy Succeeded")
	return err
}

// published lets Flux tell the function of alerts.sns of its errors, and makes one: who subscribes to the topic hears of it. Plan asks
// for an entry first, since everybody may call the function, and for another at the end, since a secret goes.
func (s *system) published(ctx context.Context) (said string, err error) {
	heard := &subscriber{}
	web := httptest.NewServer(heard)
	defer web.Close()
	settings, err := s.aws()
	if err != nil {
		return "", err
	}
	topics := sns.NewFromConfig(settings)
	subscribed, err := topics.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: aws.String("arn:aws:sns:eu-west-1:000000000000:local-delivery"), Protocol: aws.String("http"), Endpoint: aws.String(web.URL),
	})
	if err != nil {
		return "", err
	}
	defer func() {
		_, gone := topics.Unsubscribe(context.WithoutCancel(ctx), &sns.UnsubscribeInput{SubscriptionArn: subscribed.SubscriptionArn})
		err = errors.Join(err, gone)
	}()
	if err := s.agreed(ctx, "Publish errors of Flux", true, "AlertsFunction"); err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, s.agreed(context.WithoutCancel(ctx), "Publish no errors of Flux", false, "AlertsToken"),
			s.configure("local", func(e map[string]any) { delete(e, "allowReplacement"); delete(e, "alerts") }))
	}()
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	const name = "nowhere-either"
	began := time.Now()
	err = broken(ctx, c, name, func() error {
		return until(ctx, 5*time.Minute, "the topic to hear of an error", func() error {
			return heard.of("FLUX ERROR local: Kustomization flux-system/"+name, "describe kustomization/"+name)
		})
	})
	return fmt.Sprintf("published %.0f s after it began", time.Since(began).Seconds()), err
}
