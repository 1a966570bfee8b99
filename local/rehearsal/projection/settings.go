package projection

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// object is one of cdk.json, as written.
type object = map[string]any

// setting is a key of an environment that cannot be the wanted one's here.
type setting struct {
	key, why string
	// to is what it is here, nil for nothing, and whether it must be. Without to it is what local has.
	to func(p *projection, written any) (value any, must bool)
}

// everything else of the wanted environment stays: its sizes, policies, backups, approvals and windows.
var replaced = []setting{
	{"account", "AWS stands in as one account", nil},
	{"region", "AWS stands in as one region", nil},
	{"network.zones", "the zones are those of that region", zones},
	{"network.cidr", "pods have these addresses on this machine", nil},
	{"cluster.serviceCidr", "it overlaps the addresses of pods here", serviceBlock},
	{"domain", "names below it lead to this machine", nil},
	{"hostedZone", "no zone is there before the environment: its network stack makes one", nothing},
	{"branch", "the laboratory's Git server has one branch", nil},
	{"repositoryUrl", "the repository is on this machine", nil},
	{"credentials", "the laboratory's Git server asks for them", nil},
	{"delivery.connectionArn", "a connection belongs to its account", nil},
	{"delivery.test", "tests of the repository are the same for all environments, and take longer than all else", nil},
	{"delivery.rehearsal", "a rehearsal is a local system itself, and runs none", nothing},
	{"delivery.imagesFrom", "there is no second registry to copy from: the pipeline builds, and Flux takes no new tag", nothing},
	{"ghost.snapshot", "no snapshot of AWS is here: the database begins empty", nothing},
	{"ghost.mail.transport", "no SMTP server is here: mail is kept as files", mail},
	{"ghost.mail.from", "the sender lies in the domain", sender},
	{"alerts.webhook", "nobody is told of a rehearsal", nothing},
	{"alerts.sns", "nobody is told of a rehearsal", nothing},
	{"alerts.commitStatus", "nobody is told of a rehearsal", nothing},
	{"backup.copyTo", "it must be another region than the environment's", copies},
	{"cost.anomalies", "a monitor belongs to its account", monitor},
}

func nothing(*projection, any) (any, bool) { return nil, true }

func zones(p *projection, written any) (any, bool) {
	given, _ := written.([]any)
	have := p.here.Network.Zones
	foreign := func(z any) bool { return !slices.Contains(have, fmt.Sprint(z)) }
	return have[:min(len(given), len(have))], slices.ContainsFunc(given, foreign)
}

func serviceBlock(p *projection, written any) (any, bool) {
	block, err := netip.ParsePrefix(fmt.Sprint(written))
	pods, err2 := netip.ParsePrefix(p.here.Network.CIDR)
	return nil, err == nil && err2 == nil && block.Overlaps(pods)
}

func mail(_ *projection, written any) (any, bool) {
	return string(config.MailSES), written == string(config.MailSMTP)
}

// sender keeps the user, and what is below the domain.
func sender(p *projection, written any) (any, bool) {
	from, given := written.(string)
	user, domain, _ := strings.Cut(from, "@")
	if below, inside := strings.CutSuffix("."+domain, "."+p.wanted.Domain); inside {
		return user + "@" + strings.TrimPrefix(below+"."+p.here.Domain, "."), given
	}
	return user + "@" + p.here.Domain, given
}

func copies(p *projection, written any) (any, bool) {
	const other, another = "eu-central-1", "eu-west-3"
	if p.here.Region == other {
		return another, written == p.here.Region
	}
	return other, written == p.here.Region
}

func monitor(p *projection, written any) (any, bool) {
	arn, _ := written.(string)
	return strings.Replace(arn, p.wanted.Account, p.here.Account, 1), strings.HasPrefix(arn, "arn:")
}

// settings writes cdk.json anew: one environment, with the wanted one's settings.
func (p *projection) settings(content []byte) error {
	var file object
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&file); err != nil {
		return err
	}
	gitops := child(child(file, "context"), "gitops")
	environments := child(gitops, "environments")
	wanted, here := child(environments, p.name), child(environments, Here)
	p.replace(wanted, here)
	p.afterwards(gitops, wanted, here)
	gitops["environments"] = object{Here: wanted}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	// What is wrong with the environment itself, its pipeline says.
	if _, own := config.Parse(content); own == nil {
		_, err = config.Parse(text)
	}
	if err != nil {
		return fmt.Errorf("environment %s in the place of %s: %w", p.name, Here, oneLine(err))
	}
	return os.WriteFile(p.path("cdk.json"), append(text, '\n'), 0o644) //nolint:gosec // a file of the repository
}

// replace does what the table says.
func (p *projection) replace(wanted, here object) {
	for _, s := range replaced {
		written := get(wanted, s.key)
		value, must := get(here, s.key), true
		if s.to != nil {
			if value, must = s.to(p, written); written == nil {
				continue
			}
		}
		if must {
			p.row(s.key, said(written, p.wanted, s.key), said(value, p.here, s.key), s.why)
			set(wanted, s.key, value)
		}
	}
}

// said is a setting as written, or what an environment has without it.
func said(written any, e config.Environment, key string) string {
	if written != nil {
		return shown(written)
	}
	return shown(map[string]any{
		"network.cidr": e.Network.CIDR, "repositoryUrl": e.RepositoryURL, "credentials": string(e.GitCredentials),
		"delivery.connectionArn": e.Delivery.ConnectionARN, "delivery.test": e.Delivery.Test,
	}[key])
}

// afterwards changes what is no single key of the environment.
func (p *projection) afterwards(gitops, wanted, here object) {
	if p.wanted.Delivery.ImagesFrom != "" {
		set(wanted, "delivery.imageUpdates", string(config.ImageUpdatesNone)) // as it is by default where images are copied
	}
	if len(p.wanted.ImageCopies) > 0 {
		var names []string
		for _, e := range p.wanted.ImageCopies {
			names = append(names, e.Name)
		}
		p.row("rights to copy its images", strings.Join(names, ", "), none, "these environments are not here")
	}
	facts := child(here, "facts")
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		p.row("facts."+name, shown(get(wanted, "facts."+name)), shown(facts[name]), "one small machine, and its own charts")
		set(wanted, "facts."+name, facts[name])
	}
	if repository := child(gitops, "repository"); len(p.wanted.Repository.Verify) > 0 {
		p.row("repository.verify", shown(repository["verify"]), none, "the commits of a rehearsal are its own, which nobody signs")
		delete(repository, "verify")
	}
	allowed, _ := wanted["allowReplacement"].([]any)
	for _, a := range allowed {
		entry, _ := a.(object)
		if rest, own := strings.CutPrefix(fmt.Sprint(entry["resource"]), p.name+"/"); own {
			entry["resource"] = Here + "/" + rest
		}
	}
}

// child is an object in an object; an empty one where there is none.
func child(in object, key string) object {
	inside, _ := in[key].(object)
	if inside == nil {
		return object{}
	}
	return inside
}

// get returns what stands at a path of keys, or nil.
func get(in object, path string) any {
	first, rest, deeper := strings.Cut(path, ".")
	if deeper {
		return get(child(in, first), rest)
	}
	return in[first]
}

// set writes a value at a path of keys; nil removes it.
func set(in object, path string, value any) {
	first, rest, deeper := strings.Cut(path, ".")
	switch {
	case deeper:
		inside := child(in, first)
		if set(inside, rest, value); len(inside) > 0 {
			in[first] = inside
		}
	case value == nil:
		delete(in, first)
	default:
		in[first] = value
	}
}
