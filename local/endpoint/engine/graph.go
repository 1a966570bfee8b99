package engine

import (
	"regexp"
	"strings"
)

var subVariable = regexp.MustCompile(`\$\{([^}]*)\}`)

// references returns every name that a value refers to by Ref, Fn::GetAtt or
// Fn::Sub: parameters, resources and pseudo parameters.
func references(v any) map[string]bool {
	out := map[string]bool{}
	collect(v, out)
	return out
}

func collect(v any, out map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(e, out)
		}
	case map[string]any:
		if len(v) == 1 {
			for k, arg := range v {
				if collectFunction(k, arg, out) {
					return
				}
			}
		}
		for _, e := range v {
			collect(e, out)
		}
	}
}

func collectFunction(name string, arg any, out map[string]bool) bool {
	switch name {
	case "Ref":
		s, ok := arg.(string)
		if ok {
			out[s] = true
		}
		return ok
	case "Fn::GetAtt":
		id, _, ok := getAttNames(arg)
		if ok {
			out[id] = true
		}
		if list, isList := arg.([]any); isList {
			collect(list[1:], out)
		}
		return ok
	case "Fn::Sub":
		text, vars, ok := subArguments(arg)
		if !ok {
			return false
		}
		for _, m := range subVariable.FindAllStringSubmatch(text, -1) {
			name := strings.TrimSpace(m[1])
			if _, local := vars[name]; local || strings.HasPrefix(name, "!") {
				continue
			}
			id, _, _ := strings.Cut(name, ".")
			out[id] = true
		}
		collect(vars, out)
		return true
	}
	return false
}

func getAttNames(arg any) (id string, attribute any, ok bool) {
	switch a := arg.(type) {
	case string:
		id, attr, found := strings.Cut(a, ".")
		return id, attr, found
	case []any:
		if len(a) == 2 {
			id, ok = a[0].(string)
			return id, a[1], ok
		}
	}
	return "", nil, false
}

func subArguments(arg any) (text string, vars map[string]any, ok bool) {
	switch a := arg.(type) {
	case string:
		return a, nil, true
	case []any:
		if len(a) == 2 {
			text, ok = a[0].(string)
			vars, isMap := a[1].(map[string]any)
			return text, vars, ok && isMap
		}
	}
	return "", nil, false
}

// dependencies returns the resources that one resource needs first.
func (t *Template) dependencies(id string) []string {
	d := t.Resources[id]
	names := references(d.Properties)
	for _, dep := range d.DependsOn {
		names[dep] = true
	}
	for name := range names {
		if _, ok := t.Resources[name]; !ok {
			delete(names, name)
		}
	}
	return sortedKeys(names)
}

// order sorts the resources that active accepts: dependencies first, then by
// logical ID. A cycle is an error that names its members.
func (t *Template) order(active func(id string) bool) ([]string, error) {
	graph := map[string][]string{}
	for id := range t.Resources {
		if active(id) {
			graph[id] = t.dependencies(id)
		}
	}
	return sortGraph(graph)
}

func sortGraph(graph map[string][]string) ([]string, error) {
	var order, path []string
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(id string) error
	visit = func(id string) error {
		if _, there := graph[id]; !there || state[id] == done {
			return nil
		}
		if state[id] == visiting {
			for path[0] != id {
				path = path[1:]
			}
			return invalid("Circular dependency between resources: [%s]", strings.Join(path, ", "))
		}
		state[id] = visiting
		path = append(path, id)
		for _, dep := range graph[id] {
			if err := visit(dep); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		state[id] = done
		order = append(order, id)
		return nil
	}
	for _, id := range sortedKeys(graph) {
		if err := visit(id); err != nil {
			return nil, err
		}
	}
	return order, nil
}
