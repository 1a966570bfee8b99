// Package handler is the function behind the address that Flux tells of its errors. It publishes to a topic of SNS what Flux has
// signed, as its provider generic-hmac does, and refuses everything else: the address is open to the internet.
// https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac
//
// Where it works is in its environment: TOPIC (the ARN of the topic), TOKEN_SECRET (the ARN of the secret with the key that
// signs), and ENVIRONMENT (the name of the environment).
package handler

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// largest is the limit of an event. Flux's messages have at most 39,000 characters, and JSON writes some of them in six bytes.
const largest = 256 << 10

// Serve serves the calls of Lambda. It returns only if it cannot start.
func Serve(c aws.Config) error {
	for _, variable := range []string{"TOPIC", "TOKEN_SECRET", "ENVIRONMENT"} {
		if os.Getenv(variable) == "" {
			return fmt.Errorf("%s: must be set", variable)
		}
	}
	lambda.Start(newHandler(c, time.Now).handle)
	return nil
}

// handler serves one call after the other, as Lambda has each process do.
type handler struct {
	environment, topic string

	messages *sns.Client
	token    token
	told     told
}

func newHandler(c aws.Config, now func() time.Time) *handler {
	return &handler{
		environment: os.Getenv("ENVIRONMENT"), topic: os.Getenv("TOPIC"), messages: sns.NewFromConfig(c),
		token: token{secrets: secretsmanager.NewFromConfig(c), secret: os.Getenv("TOKEN_SECRET"), now: now},
		told:  told{now: now, at: map[string]time.Time{}},
	}
}

// handle answers a call of the function's URL. An error is Lambda's: it counts it, and the caller gets 502 and tries again.
func (h *handler) handle(ctx context.Context, r events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
	body, status := content(r)
	if status != 0 {
		return refuse(status), nil
	}
	// The keys of headers come in lower case, whatever was sent.
	signed, err := h.token.signed(ctx, body, r.Headers["x-signature"])
	if err != nil {
		return events.LambdaFunctionURLResponse{}, err
	}
	if !signed {
		return refuse(http.StatusUnauthorized), nil
	}
	e, err := read(body)
	if err != nil {
		slog.Warn("a signed body is no event of Flux", "error", err)
		return refuse(http.StatusBadRequest), nil
	}
	return events.LambdaFunctionURLResponse{StatusCode: http.StatusOK}, h.tell(ctx, e)
}

// content is the body of a request, or the status that refuses it.
func content(r events.LambdaFunctionURLRequest) (body []byte, refused int) {
	if r.RequestContext.HTTP.Method != http.MethodPost {
		return nil, http.StatusMethodNotAllowed
	}
	body = []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, http.StatusBadRequest
		}
	}
	if len(body) > largest {
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, 0
}

// refuse says no more than the status: whoever is refused has no business here.
func refuse(status int) events.LambdaFunctionURLResponse {
	slog.Warn("refused", "status", status)
	return events.LambdaFunctionURLResponse{StatusCode: status, Body: http.StatusText(status) + "\n"}
}

// tell publishes an event, unless it did so a while ago.
func (h *handler) tell(ctx context.Context, e event) error {
	log := slog.With("object", e.object(), "reason", e.Reason)
	if h.told.lately(e) {
		log.Info("told before")
		return nil
	}
	out, err := h.messages.Publish(ctx, &sns.PublishInput{
		TopicArn: &h.topic, Subject: aws.String(e.subject(h.environment)), Message: aws.String(e.text(h.environment)),
	})
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", h.topic, err)
	}
	h.told.remember(e)
	log.Info("published", "message", aws.ToString(out.MessageId))
	return nil
}
