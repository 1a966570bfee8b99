package engine

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// form is a request of the AWS query protocol.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
type form url.Values

func (f form) get(name string) string { return url.Values(f).Get(name) }

func (f form) flag(name string) bool { return f.get(name) == "true" }

// has reports whether a list was given, empty lists included.
func (f form) has(name string) bool {
	for k := range f {
		if k == name || strings.HasPrefix(k, name+".") {
			return true
		}
	}
	return false
}

func (f form) list(name string) []string {
	var out []string
	for i := 1; ; i++ {
		v, there := f[fmt.Sprintf("%s.member.%d", name, i)]
		if !there {
			return out
		}
		out = append(out, v[0])
	}
}

func (f form) tags() map[string]string {
	out := map[string]string{}
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("Tags.member.%d.", i)
		key := f.get(prefix + "Key")
		if key == "" {
			return out
		}
		out[key] = f.get(prefix + "Value")
	}
}

func (f form) parameters() map[string]givenParameter {
	out := map[string]givenParameter{}
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("Parameters.member.%d.", i)
		key := f.get(prefix + "ParameterKey")
		if key == "" {
			return out
		}
		value, given := f[prefix+"ParameterValue"]
		p := givenParameter{HasValue: given, UsePrevious: f.flag(prefix + "UsePreviousValue")}
		if given {
			p.Value = value[0]
		}
		out[key] = p
	}
}

// templateBody returns the request's template: given, by URL, or the one that
// the stack has.
func (e *Engine) templateBody(ctx context.Context, f form, previous *Version) (string, error) {
	if body := f.get("TemplateBody"); body != "" {
		return body, nil
	}
	if address := f.get("TemplateURL"); address != "" {
		bucket, key, err := objectAddress(address)
		if err != nil {
			return "", err
		}
		body, err := e.opt.Values.Object(ctx, bucket, key)
		if err != nil {
			return "", invalid("S3 error: the template %s cannot be read: %v", address, err)
		}
		return body, nil
	}
	if previous != nil && previous.Template != "" {
		return previous.Template, nil
	}
	return "", invalid("Either Template URL or Template Body must be specified.")
}

// objectAddress reads a bucket and a key from a path-style or a virtual-hosted
// S3 URL.
func objectAddress(address string) (bucket, key string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", "", invalid("TemplateURL must be a supported URL, not %q", address)
	}
	path := strings.TrimPrefix(u.Path, "/")
	if host := u.Hostname(); strings.HasSuffix(host, ".amazonaws.com") && !strings.HasPrefix(host, "s3.") && !strings.HasPrefix(host, "s3-") {
		if bucket, _, ok := strings.Cut(host, ".s3"); ok && path != "" {
			return bucket, path, nil
		}
	}
	bucket, key, ok := strings.Cut(path, "/")
	if !ok || bucket == "" || key == "" {
		return "", "", invalid("TemplateURL must name an S3 object, not %q", address)
	}
	return bucket, key, nil
}
