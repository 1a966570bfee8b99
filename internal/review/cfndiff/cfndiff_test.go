package cfndiff

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/assembly"
)

func TestReadable(t *testing.T) {
	for in, want := range map[string]string{
		`{"Ref": "A"}`:                                      `"${A}"`,
		`{"Fn::GetAtt": ["A", "Arn"]}`:                      `"${A.Arn}"`,
		`{"Fn::ImportValue": "n:Export"}`:                   `"${import n:Export}"`,
		`{"Fn::Sub": "x-${A}"}`:                             `"x-${A}"`,
		`{"Fn::Join": ["", ["arn:", {"Ref": "P"}, ":s3"]]}`: `"arn:${P}:s3"`,
		`{"Fn::Join": ["", ["{\"role\": \"", {"Fn::GetAtt": ["R", "Arn"]}, "\"}"]]}`: `{"role":"${R.Arn}"}`,
		`{"Fn::If": ["C", 1, 2]}`: `{"Fn::If":["C",1,2]}`,
		`"[{\"kind\": \"Pod\"}]"`: `[{"kind":"Pod"}]`,
		`"{{resolve:ssm:x}}"`:     `"{{resolve:ssm:x}}"`,
		`{"a": [1, true, null]}`:  `{"a":[1,true,null]}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(in), &value); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(Readable(value))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, want %s (%v)", in, got, want, err)
		}
	}
}

// parse reads a template with one resource R.
func parse(t *testing.T, resource string) assembly.Template {
	t.Helper()
	var parsed assembly.Template
	if err := json.Unmarshal([]byte(`{"Resources": {"R": `+resource+`}}`), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestCompare(t *testing.T) {
	const bucket = `{"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "a"}, "Metadata": {"aws:cdk:path": "dev/ghost/content/Resource"}}`
	cases := []struct {
		name     string
		old, new assembly.Template
		impact   Impact // of R; empty: no difference
	}{
		{"same", parse(t, bucket), parse(t, bucket), ""},
		{"metadata alone", parse(t, bucket), parse(t, strings.Replace(bucket, "content", "other", 1)), ""},
		{"created", assembly.Template{}, parse(t, bucket), Create},
		{"deleted", parse(t, bucket), assembly.Template{}, Destroy},
		{"kept by its policy", parse(t, strings.Replace(bucket, `"Metadata"`, `"DeletionPolicy": "Retain", "Metadata"`, 1)), assembly.Template{}, Orphan},
		{"replaced", parse(t, bucket), parse(t, strings.Replace(bucket, `"a"`, `"b"`, 1)), Replace},
		{"in place", parse(t, bucket), parse(t, strings.Replace(bucket, `"BucketName": "a"`, `"BucketName": "a", "Tags": []`, 1)), Update},
		{"another type", parse(t, bucket), parse(t, strings.Replace(bucket, "S3::Bucket", "SQS::Queue", 1)), Replace},
	}
	var pairs []Pair
	for _, c := range cases {
		pairs = append(pairs, Pair{c.old, c.new})
	}
	diffs, err := NodeOf("../../..").Compare(t.Context(), pairs)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		d := diffs[i]
		if d.Empty() != (c.impact == "") {
			t.Errorf("%s: %+v", c.name, d)
			continue
		}
		if c.impact != "" && (d.Resources[0].ID != "R" || d.Resources[0].Impact != c.impact || !strings.HasPrefix(d.Resources[0].Path, "dev/ghost/content")) {
			t.Errorf("%s: %+v", c.name, d.Resources)
		}
	}
}

func TestCompareFails(t *testing.T) {
	if _, err := (Node{Bin: "node", Root: t.TempDir()}).Compare(t.Context(), []Pair{{}}); err == nil || !strings.Contains(err.Error(), "run npm ci") {
		t.Error(err)
	}
	if diffs, err := (Node{}).Compare(t.Context(), nil); err != nil || diffs != nil {
		t.Error(diffs, err)
	}
}
