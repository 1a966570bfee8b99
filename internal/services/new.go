package services

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// New is a service that is to be added.
type New struct {
	Name, Image, Host, Health string
	Port                      int
	// Schema by which editors check the file; default: that of k8s/services.
	Schema string
	// Uses are the kinds of aws of a service in a repository of its own.
	Uses []string
	// Repository of its own, and its Owner: the file is then a registration, without Image, Health and Port.
	Repository, Owner string
	// Publisher of a registration; the default if empty.
	Publisher string
	// Database is the engine of its database, and Table the partition key of its table; none if empty.
	Database, Table string
	// Cache, Bucket, Queue, Topic, Mail and Assets are to be there.
	Cache, Bucket, Queue, Topic, Mail, Assets bool
}

// File is the service's first file. Texts are quoted as YAML wants them.
func (n New) File() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", cmp.Or(n.Schema, "../../services/service.schema.json"))
	if n.Repository != "" {
		fmt.Fprintf(&b, "repository: %s\nowner: %s\n", quoted(n.Repository), quoted(n.Owner))
		if n.Publisher != "" {
			fmt.Fprintf(&b, "publisher: %s\n", quoted(n.Publisher))
		}
		b.WriteString("limits: {replicas: 3, cpu: 500m, memory: 512Mi}\n")
	} else {
		fmt.Fprintf(&b, "image: %s\nport: %d\n", quoted(n.Image), n.Port)
	}
	if n.Health != "" {
		fmt.Fprintf(&b, "health: {path: %s}\n", quoted(n.Health))
	}
	if n.Host != "" {
		fmt.Fprintf(&b, "host: %s\n", quoted(n.Host))
	}
	if len(n.Uses) > 0 {
		fmt.Fprintf(&b, "uses: [%s]\n", strings.Join(n.Uses, ", "))
	}
	needs := []struct {
		wanted    bool
		key, text string
	}{
		{n.Database != "", "database", "{engine: " + quoted(n.Database) + "}"},
		{n.Cache, "cache", "{}"},
		{n.Bucket, "bucket", "{}"},
		{n.Queue, "queue", "{}"},
		{n.Topic, "topic", "{}"},
		{n.Table != "", "table", "{partitionKey: {name: " + quoted(n.Table) + "}}"},
		{n.Mail, "mail", "{}"},
		{n.Assets, "assets", "{}"},
	}
	heading := "aws:\n"
	for _, need := range needs {
		if need.wanted {
			fmt.Fprintf(&b, "%s  %s: %s\n", heading, need.key, need.text)
			heading = ""
		}
	}
	return []byte(b.String())
}

// quoted leaves words plain that YAML reads as text whatever the rest of the line.
func quoted(text string) string {
	plain := text != "" && !strings.ContainsAny(text, " \t\n\"'#{}[],&*!|>%`\\") && !strings.HasSuffix(text, ":")
	if plain {
		switch first := text[0]; {
		case first >= 'a' && first <= 'z', first == '/':
			switch text {
			case "true", "false", "null", "yes", "no", "on", "off":
			default:
				return text
			}
		}
	}
	return strconv.Quote(text)
}
