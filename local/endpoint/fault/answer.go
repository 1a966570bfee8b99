package fault

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// failure is an answer that is none.
type failure struct {
	status        int
	code, message string
}

// protocol is how a service writes its errors: https://smithy.io/2.0/aws/protocols/index.html
type protocol int

const (
	query    protocol = iota // XML, also of REST services with XML, as Route 53
	ec2XML                   // EC2's own form of it
	s3XML                    // and S3's
	jsonRPC                  // an operation in X-Amz-Target
	restJSON                 // an operation in the path
)

func protocolOf(service string, r *http.Request) protocol {
	switch {
	case service == "s3":
		return s3XML
	case service == "ec2":
		return ec2XML
	case r.Header.Get("X-Amz-Target") != "":
		return jsonRPC
	case service == "route53", service == "cloudfront", r.URL.Query().Has("Action"),
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return query
	}
	return restJSON
}

// names are how services answer that have names of their own; of the others see failure.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var names = map[protocol]map[Error]failure{
	ec2XML: {
		Throttling:  {http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded."},
		Internal:    {http.StatusInternalServerError, "InternalError", "An internal error has occurred"},
		Unavailable: {http.StatusServiceUnavailable, "Unavailable", "The server is overloaded and can't handle the request."},
	},
	s3XML: {
		Throttling:  {http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."},
		Internal:    {http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."},
		Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request."},
	},
	restJSON: {Throttling: {http.StatusTooManyRequests, "ThrottlingException", rate}},
	query:    {Throttling: {http.StatusBadRequest, "Throttling", rate}},
}

const rate = "Rate exceeded"

// failure is an error in the words of the protocol's services.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
func (p protocol) failure(kind Error) failure {
	if f, own := names[p][kind]; own {
		return f
	}
	return map[Error]failure{
		Throttling:  {http.StatusBadRequest, "ThrottlingException", rate},
		Internal:    {http.StatusInternalServerError, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."},
		Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."},
	}[kind]
}

// detail is an error in XML.
type detail struct {
	Type    string `xml:",omitempty"`
	Code    string
	Message string
}

// write answers with the failure in the protocol's form.
func (p protocol) write(w http.ResponseWriter, r *http.Request, f failure) {
	const id = "00000000-0000-0000-0000-000000000000"
	d := detail{Code: f.code, Message: f.message}
	var body any
	kind := "text/xml"
	switch p {
	case jsonRPC, restJSON:
		kind = "application/json"
		if given := r.Header.Get("Content-Type"); p == jsonRPC && given != "" {
			kind = given // application/x-amz-json-1.0 or 1.1
		}
		w.Header().Set("X-Amzn-Errortype", f.code)
		body = map[string]string{"__type": f.code, "message": f.message}
	case ec2XML:
		body = struct {
			XMLName   xml.Name `xml:"Response"`
			Errors    []detail `xml:"Errors>Error"`
			RequestID string
		}{Errors: []detail{d}, RequestID: id}
	case s3XML:
		body = struct {
			XMLName xml.Name `xml:"Error"`
			detail
			RequestId string //nolint:revive // S3's name
		}{detail: d, RequestId: id}
	default:
		d.Type = "Sender"
		if f.status >= http.StatusInternalServerError {
			d.Type = "Receiver"
		}
		body = struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     detail
			RequestId string //nolint:revive // the protocol's name
		}{Error: d, RequestId: id}
	}
	var text []byte // of plain texts: it always can be written
	if _, ok := body.(map[string]string); ok {
		text, _ = json.Marshal(body)
	} else {
		text, _ = xml.Marshal(body)
		text = append([]byte(xml.Header), text...)
	}
	_, _ = io.Copy(io.Discard, r.Body) // a client that still sends would not read the answer
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text)
	}
}

// exempt reports whether a request is the laboratory's own.
func exempt(r *http.Request) bool {
	return strings.Contains(r.UserAgent(), "app/"+Exempt)
}

// clock answers with the time that AWS has, from which an SDK learns how wrong its own is.
type clock struct {
	http.ResponseWriter
	ahead time.Duration
	said  bool
}

func (c *clock) say() {
	if !c.said {
		c.said = true
		c.Header().Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
	}
}

func (c *clock) WriteHeader(status int) {
	c.say()
	c.ResponseWriter.WriteHeader(status)
}

func (c *clock) Write(b []byte) (int, error) {
	c.say()
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *clock) Unwrap() http.ResponseWriter { return c.ResponseWriter }

const (
	stamp = "20060102T150405Z"
	// tolerance is AWS's; that of S3 is 15 minutes.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
	tolerance   = 5 * time.Minute
	toleranceS3 = 15 * time.Minute
)

// signedAt is when a request was signed; of one without a time it is unknown.
func signedAt(r *http.Request) (time.Time, bool) {
	text := r.Header.Get("X-Amz-Date")
	if text == "" {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || q.Has("X-Amz-Expires") {
			return time.Time{}, false // presigned: it has a time limit of its own
		}
		text = q.Get("X-Amz-Date")
	}
	t, err := time.Parse(stamp, text)
	return t, err == nil
}

// expired reports whether a request's signature is too far from AWS's time.
func expired(r *http.Request, ahead time.Duration) bool {
	at, known := signedAt(r)
	limit := tolerance
	if strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") {
		limit = toleranceS3
	}
	return known && time.Now().Add(ahead).Sub(at).Abs() > limit
}

// skewed is how a service refuses a signature that is too old or too new.
func skewed(service string, r *http.Request, ahead time.Duration) failure {
	at, _ := signedAt(r)
	now := time.Now().Add(ahead).UTC()
	said := "Signature expired: " + at.Format(stamp) + " is now earlier than " + now.Add(-tolerance).Format(stamp)
	if at.After(now) {
		said = "Signature not yet current: " + at.Format(stamp) + " is still later than " + now.Add(tolerance).Format(stamp)
	}
	switch protocolOf(service, r) {
	case s3XML:
		return failure{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."}
	case ec2XML:
		return failure{http.StatusBadRequest, "RequestExpired", "Request has expired."}
	case jsonRPC, restJSON:
		return failure{http.StatusForbidden, "InvalidSignatureException", said}
	}
	return failure{http.StatusForbidden, "SignatureDoesNotMatch", said}
}
