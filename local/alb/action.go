package alb

import (
	"cmp"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// action is what a rule does; exactly one of its fields is set.
type action struct {
	groups   []weighted // forward
	redirect *redirect
	fixed    *fixed
	refused  string // why the rule cannot be served
}

// weighted is a target group and its share of the requests.
type weighted struct {
	arn    string
	weight int
}

// group chooses a target group by weight; "" when all weights are 0. As on AWS, a group without targets keeps its share.
func (a *action) group() string {
	total := 0
	for _, g := range a.groups {
		total += g.weight
	}
	if total <= 0 {
		return ""
	}
	n := rand.IntN(total)
	for _, g := range a.groups {
		if n < g.weight {
			return g.arn
		}
		n -= g.weight
	}
	return ""
}

// plain404 reports whether the action is the one that an Ingress controller leaves for hosts that nobody has.
func (a *action) plain404() bool { return a.fixed != nil && a.fixed.status == http.StatusNotFound }

// fixed is a fixed-response action.
type fixed struct {
	status            int
	contentType, body string
}

func newFixed(c *types.FixedResponseActionConfig) *fixed {
	n, err := strconv.Atoi(aws.ToString(c.StatusCode))
	if err != nil || n < 200 || n > 599 {
		n = http.StatusServiceUnavailable // the API accepts no other values; do not crash on a stand-in that does
	}
	return &fixed{n, cmp.Or(aws.ToString(c.ContentType), "text/plain"), aws.ToString(c.MessageBody)}
}

func (f *fixed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "awselb/2.0")
	if f.body != "" {
		w.Header().Set("Content-Type", f.contentType+"; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(f.body)))
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		io.WriteString(w, f.body)
	}
}

// redirect is a redirect action; its parts may hold #{protocol}, #{host}, #{port}, #{path} and #{query}
// (docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html).
type redirect struct {
	status                            int
	protocol, host, port, path, query string
}

func newRedirect(c *types.RedirectActionConfig) *redirect {
	d := &redirect{
		status:   http.StatusMovedPermanently,
		protocol: cmp.Or(aws.ToString(c.Protocol), "#{protocol}"), host: cmp.Or(aws.ToString(c.Host), "#{host}"),
		port: cmp.Or(aws.ToString(c.Port), "#{port}"), path: cmp.Or(aws.ToString(c.Path), "/#{path}"), query: "#{query}",
	}
	if c.Query != nil {
		d.query = *c.Query
	}
	if c.StatusCode == types.RedirectActionStatusCodeEnumHttp302 {
		d.status = http.StatusFound
	}
	return d
}

// location is the target of the redirect for a request that arrived at the listener of scheme. Like the ALB it always
// names the port; the listener ports 80 and 443 become the public ports that stand for them.
func (d *redirect) location(scheme string, r *request, public map[string]int) string {
	port := "80"
	if scheme == schemeHTTPS {
		port = "443"
	}
	fill := strings.NewReplacer("#{protocol}", strings.ToUpper(scheme), "#{host}", r.host, "#{port}", port,
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	to, host, port := strings.ToLower(fill.Replace(d.protocol)), fill.Replace(d.host), fill.Replace(d.port)
	switch port {
	case "80":
		port = strconv.Itoa(public[schemeHTTP])
	case "443":
		port = strconv.Itoa(public[schemeHTTPS])
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	url := to + "://" + host + ":" + port + fill.Replace(d.path)
	if q := fill.Replace(d.query); q != "" {
		url += "?" + q
	}
	return url
}
