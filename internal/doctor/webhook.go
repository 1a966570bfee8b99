package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s-plus-aws-gitops/internal/forge"
)

// webhook looks how the last pushes reached Flux. The address of the webhook has a secret's hash in it, which is not read:
// its host is enough.
func (d *Doctor) webhook(ctx context.Context) Line {
	const fix = "bin/gitops repository setup"
	want := forge.Repository{Owner: d.Env.Repository.Owner, Name: d.Env.Repository.Name}
	if !want.At(d.Env.RepositoryURL) {
		return unknown("not looked at: %s follows %s, not %s on GitHub", d.Env.Name, d.Env.RepositoryURL, want)
	}
	hook, err := d.Hook(ctx)
	switch {
	case err != nil:
		return unread(err)
	case hook.Host == "":
		return ok("none: the manifests have no Receiver for GitHub")
	case d.Forge.Token == "":
		return unknown("it needs a token with 'Webhooks: read' in GITHUB_TOKEN")
	}
	hooks, err := d.Forge.Hooks(ctx, want)
	if err != nil {
		return unasked(err)
	}
	for _, h := range hooks {
		if !strings.HasPrefix(h.Config.URL, "https://"+hook.Host+"/hook/") {
			continue
		}
		if !h.Active {
			return missing(fix, "the webhook to %s is off", hook.Host)
		}
		return d.delivered(ctx, want, h, hook.Host)
	}
	return missing(fix, "there is no webhook to %s", hook.Host)
}

// delivered looks at the last delivery.
func (d *Doctor) delivered(ctx context.Context, of forge.Repository, h forge.Hook, host string) Line {
	all, err := d.Forge.Deliveries(ctx, of, h.ID)
	switch {
	case err != nil:
		return unasked(err)
	case len(all) == 0:
		return unknown("GitHub has no delivery to %s of the last days: push a commit", host)
	}
	last := all[0]
	when := last.At.UTC().Format("2006-01-02 15:04 UTC")
	if !last.Delivered() {
		return missing(fmt.Sprintf("look at https://github.com/%s/settings/hooks/%d, then bin/gitops repository setup", of, h.ID),
			"the delivery of %s failed: %d %s", when, last.Code, last.Status)
	}
	return ok("%s to %s was delivered at %s", last.Event, host, when)
}

// unasked says why GitHub was not asked. Its errors name the permission that a token lacks.
func unasked(err error) Line {
	var refused *forge.Error
	if errors.As(err, &refused) && refused.Denied() {
		return unknown("%s", line(refused.Error()))
	}
	return unread(err)
}
