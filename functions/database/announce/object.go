package announce

// object is one of the Kubernetes API, of which little is read.
type object map[string]any

// at follows keys; nil where there is nothing.
func at(value any, path ...string) any {
	for _, key := range path {
		switch m := value.(type) {
		case object:
			value = m[key]
		case map[string]any:
			value = m[key]
		default:
			return nil
		}
	}
	return value
}

func str(value any, path ...string) string {
	s, _ := at(value, path...).(string)
	return s
}

func list(value any, path ...string) []any {
	l, _ := at(value, path...).([]any)
	return l
}

// reads reports whether an ExternalSecret is made of the secret with that path.
func (o object) reads(path string) bool {
	for _, d := range list(o, "spec", "dataFrom") {
		if str(d, "extract", "key") == path {
			return true
		}
	}
	for _, d := range list(o, "spec", "data") {
		if str(d, "remoteRef", "key") == path {
			return true
		}
	}
	return false
}

// target is the name of the Secret that an ExternalSecret makes: its own unless it says another.
func (o object) target() string {
	if name := str(o, "spec", "target", "name"); name != "" {
		return name
	}
	return str(o, "metadata", "name")
}

// ready reports whether the last read succeeded.
func (o object) ready() bool {
	for _, c := range list(o, "status", "conditions") {
		if str(c, "type") == "Ready" {
			return str(c, "status") == "True"
		}
	}
	return false
}

// uses reports whether the pods of a Deployment have one of the Secrets, as a variable or as a file.
func (o object) uses(secrets map[string]bool) bool {
	pod := at(o, "spec", "template", "spec")
	for _, kind := range []string{"containers", "initContainers"} {
		for _, c := range list(pod, kind) {
			for _, e := range list(c, "env") {
				if secrets[str(e, "valueFrom", "secretKeyRef", "name")] {
					return true
				}
			}
			for _, e := range list(c, "envFrom") {
				if secrets[str(e, "secretRef", "name")] {
					return true
				}
			}
		}
	}
	for _, v := range list(pod, "volumes") {
		if secrets[str(v, "secret", "secretName")] {
			return true
		}
		for _, s := range list(v, "projected", "sources") {
			if secrets[str(s, "secret", "name")] {
				return true
			}
		}
	}
	return false
}
