package iam

import (
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	for action, want := range map[string][2]bool{
		"s3:GetObject":        {true, false},
		"s3:getobject":        {true, false},
		"s3:GetObjekt":        {},
		"s3:GetObj":           {},
		"s4:GetObject":        {},
		"s3:GetObj*":          {true, false},
		"s3:ListAllMyBuckets": {false, true},
		"s3:List*":            {true, true},
		"sqs:ListQueues":      {false, true},
		"s3":                  {},
	} {
		if narrow, wide := Find(action); narrow != want[0] || wide != want[1] {
			t.Errorf("%s: narrow %v, wide %v, want %v", action, narrow, wide, want)
		}
	}
}

func TestActions(t *testing.T) {
	if !slices.Contains(Prefixes(), "sqs") || !slices.Contains(Actions("sqs"), "SendMessage") || len(Actions("s4")) != 0 {
		t.Error("sqs:SendMessage is missing, or s4 is there")
	}
}
