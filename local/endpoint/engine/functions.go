package engine

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// call evaluates one intrinsic function.
func (s *scope) call(name string, arg any) (any, error) {
	switch name {
	case "Ref":
		id, ok := arg.(string)
		if !ok {
			return nil, malformed(name)
		}
		return s.ref(id)
	case "Fn::GetAtt":
		return s.getAtt(arg)
	case "Fn::Sub":
		return s.sub(arg)
	case "Fn::If", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or":
		return s.logic(name, arg)
	case "Fn::ImportValue":
		return s.importValue(arg)
	case "Fn::GetAZs":
		return s.zones(arg)
	case "Fn::Base64":
		t, err := s.evalText(arg)
		if err != nil || isUnknown(t) {
			return t, err
		}
		return base64.StdEncoding.EncodeToString([]byte(t)), nil
	case "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Fn::Cidr":
		args, ok := arg.([]any)
		if !ok || len(args) < 2 {
			return nil, malformed(name)
		}
		return s.listFunction(name, args)
	}
	return nil, invalid("Template error: %s is not supported by the local CloudFormation stand-in", name)
}

func malformed(name string) error {
	return invalid("Template error: the arguments of %s are malformed", name)
}

func (s *scope) listFunction(name string, args []any) (any, error) {
	switch name {
	case "Fn::Join":
		return s.join(args)
	case "Fn::Select":
		return s.selectOne(args)
	case "Fn::Split":
		return s.split(args)
	case "Fn::FindInMap":
		return s.findInMap(args)
	}
	return s.cidr(args)
}

func (s *scope) getAtt(arg any) (any, error) {
	id, attribute, ok := getAttNames(arg)
	if !ok {
		return nil, malformed("Fn::GetAtt")
	}
	name, err := s.evalText(attribute)
	if err != nil {
		return nil, err
	}
	return s.attribute(id, name)
}

func (s *scope) sub(arg any) (any, error) {
	template, vars, ok := subArguments(arg)
	if !ok {
		return nil, malformed("Fn::Sub")
	}
	var first error
	out := subVariable.ReplaceAllStringFunc(template, func(match string) string {
		name := strings.TrimSpace(match[2 : len(match)-1])
		if literal, is := strings.CutPrefix(name, "!"); is {
			return "${" + literal + "}"
		}
		v, err := s.variable(name, vars)
		if err != nil && first == nil {
			first = err
		}
		return v
	})
	return out, first
}

func (s *scope) variable(name string, vars map[string]any) (string, error) {
	if v, ok := vars[name]; ok {
		return s.evalText(v)
	}
	if id, attribute, isAttribute := strings.Cut(name, "."); isAttribute {
		v, err := s.attribute(id, attribute)
		return text(v), err
	}
	v, err := s.ref(name)
	if err != nil {
		return "", err
	}
	switch v.(type) {
	case []any, noValue:
		return "", invalid("Template error: Fn::Sub cannot use %s, which is %s", name, kind(v))
	}
	return text(v), nil
}

func (s *scope) logic(name string, arg any) (any, error) {
	args, ok := arg.([]any)
	want := map[string][2]int{"Fn::If": {3, 3}, "Fn::Equals": {2, 2}, "Fn::Not": {1, 1}, "Fn::And": {1, 10}, "Fn::Or": {1, 10}}[name]
	if !ok || len(args) < want[0] || len(args) > want[1] {
		return nil, malformed(name)
	}
	switch name {
	case "Fn::If":
		condition, ok := args[0].(string)
		if !ok {
			return nil, malformed(name)
		}
		yes, err := s.condition(condition)
		if err != nil {
			return nil, err
		}
		if yes {
			return s.eval(args[1])
		}
		return s.eval(args[2])
	case "Fn::Equals":
		a, err := s.eval(args[0])
		if err != nil {
			return nil, err
		}
		b, err := s.eval(args[1])
		return equal(a, b), err
	case "Fn::Not":
		v, err := s.truth(args[0])
		return !v, err
	}
	for _, a := range args {
		v, err := s.truth(a)
		if err != nil {
			return nil, err
		}
		if v == (name == "Fn::Or") {
			return v, nil
		}
	}
	return name == "Fn::And", nil
}

func (s *scope) importValue(arg any) (any, error) {
	name, err := s.evalText(arg)
	if err != nil || isUnknown(name) {
		return name, err
	}
	v, ok := s.export(name)
	if !ok {
		return nil, invalid("No export named %s found.", name)
	}
	s.imports[name] = true
	return v, nil
}

// zones answers Fn::GetAZs: every region of the stand-in has zones a, b, c.
func (s *scope) zones(arg any) (any, error) {
	region, err := s.evalText(arg)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = s.region
	}
	return []any{region + "a", region + "b", region + "c"}, nil
}

func (s *scope) list(v any) ([]any, bool, error) {
	r, err := s.eval(v)
	if err != nil {
		return nil, false, err
	}
	if t, ok := r.(string); ok && isUnknown(t) {
		return nil, true, nil
	}
	list, ok := r.([]any)
	if !ok {
		return nil, false, invalid("Template error: expected a list, not %s", kind(r))
	}
	return list, false, nil
}

func (s *scope) join(args []any) (any, error) {
	separator, ok := args[0].(string)
	if !ok || len(args) != 2 {
		return nil, malformed("Fn::Join")
	}
	list, unknown, err := s.list(args[1])
	if err != nil || unknown {
		return knownAfterApply, err
	}
	parts := make([]string, len(list))
	for i, e := range list {
		switch e.(type) {
		case []any, map[string]any:
			return nil, invalid("Template error: every Fn::Join value must be text, not %s", kind(e))
		}
		parts[i] = text(e)
	}
	return strings.Join(parts, separator), nil
}

func (s *scope) selectOne(args []any) (any, error) {
	index, err := s.evalText(args[0])
	if err != nil {
		return nil, err
	}
	list, unknown, err := s.list(args[1])
	if err != nil || unknown {
		return knownAfterApply, err
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(list) {
		return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %s", index)
	}
	return list[i], nil
}

func (s *scope) split(args []any) (any, error) {
	separator, ok := args[0].(string)
	if !ok || separator == "" {
		return nil, malformed("Fn::Split")
	}
	t, err := s.evalText(args[1])
	if err != nil {
		return nil, err
	}
	if isUnknown(t) {
		return knownAfterApply, nil
	}
	out := []any{}
	for _, p := range strings.Split(t, separator) {
		out = append(out, p)
	}
	return out, nil
}

func (s *scope) findInMap(args []any) (any, error) {
	keys := make([]string, 3)
	if len(args) < 3 {
		return nil, malformed("Fn::FindInMap")
	}
	for i := range keys {
		k, err := s.evalText(args[i])
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	top, _ := s.template.Mappings[keys[0]].(map[string]any)
	second, _ := top[keys[1]].(map[string]any)
	if v, ok := second[keys[2]]; ok {
		return v, nil
	}
	return nil, invalid("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
}

// cidr answers Fn::Cidr [block, count, host bits (default 8)].
func (s *scope) cidr(args []any) (any, error) {
	values := []string{"", "", "8"}
	for i := range args {
		if i >= len(values) {
			return nil, malformed("Fn::Cidr")
		}
		v, err := s.evalText(args[i])
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	if isUnknown(values[0]) {
		return knownAfterApply, nil
	}
	block, err := netip.ParsePrefix(values[0])
	count, err2 := strconv.Atoi(values[1])
	bits, err3 := strconv.Atoi(values[2])
	if err != nil || err2 != nil || err3 != nil || count < 1 || count > 256 || bits < 1 || bits > block.Addr().BitLen()-block.Bits() {
		return nil, invalid("Template error: Fn::Cidr cannot make %s blocks of %s bits in %s", values[1], values[2], values[0])
	}
	out := make([]any, 0, count)
	for i := range count {
		p, ok := subnet(block.Masked(), bits, i)
		if !ok {
			return nil, invalid("Template error: Fn::Cidr: %s is too small for %d blocks of %d bits", values[0], count, bits)
		}
		out = append(out, p.String())
	}
	return out, nil
}

func subnet(block netip.Prefix, bits, index int) (netip.Prefix, bool) {
	raw := block.Addr().AsSlice()
	n := new(big.Int).SetBytes(raw)
	offset := new(big.Int).Lsh(big.NewInt(int64(index)), uint(bits)) //nolint:gosec // 1 to 128
	out := make([]byte, len(raw))
	n.Add(n, offset)
	if n.BitLen() > 8*len(raw) {
		return netip.Prefix{}, false
	}
	n.FillBytes(out)
	addr, _ := netip.AddrFromSlice(out)
	return netip.PrefixFrom(addr, 8*len(raw)-bits), block.Contains(addr)
}
