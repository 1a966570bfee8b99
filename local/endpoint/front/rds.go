package front

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

// Snapshots keeps what is in the databases of instances, of which moto has the names alone.
type Snapshots interface {
	KeepSnapshot(ctx context.Context, instance, snapshot string) error
	ForgetSnapshot(ctx context.Context, snapshot string) error
	// RestoreInstance fills an instance that was made of a snapshot beside others, SetPassword gives its administrator a password,
	// and RemoveInstance removes what is in it. The last two do nothing to other instances.
	RestoreInstance(ctx context.Context, instance, snapshot string) error
	SetPassword(ctx context.Context, instance, password string) error
	RemoveInstance(ctx context.Context, instance string) error
	// Instance is where an instance's server is, and the name of database and administrator of one that was restored.
	Instance(instance, engine string) (host string, port int, name string, restored bool, err error)
}

// rds lets moto decide about the calls that make and remove snapshots and restore them, and does what it took. Of instances it
// tells the addresses of their servers. False: it is another call.
func (f *Front) rds(w http.ResponseWriter, r *http.Request) bool {
	if f.opt.Snapshots == nil || r.Method != http.MethodPost {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // RDS has no larger calls
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		writeFailure(w, fail(http.StatusBadRequest, "InvalidParameterValue", "the request cannot be read: %v", err))
		return true
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return false
	}
	action, s := form.Get("Action"), f.opt.Snapshots
	instance, snapshot := form.Get("DBInstanceIdentifier"), form.Get("DBSnapshotIdentifier")
	if action == "RestoreDBInstanceToPointInTime" {
		writeFailure(w, fail(http.StatusBadRequest, "InvalidParameterCombination", "no log of changes is kept here, so that only snapshots can be restored"))
		return true
	}
	act := map[string]func(context.Context) error{
		"CreateDBSnapshot":                func(ctx context.Context) error { return s.KeepSnapshot(ctx, instance, snapshot) },
		"DeleteDBSnapshot":                func(ctx context.Context) error { return s.ForgetSnapshot(ctx, snapshot) },
		"RestoreDBInstanceFromDBSnapshot": func(ctx context.Context) error { return s.RestoreInstance(ctx, instance, snapshot) },
		"ModifyDBInstance":                func(ctx context.Context) error { return s.SetPassword(ctx, instance, form.Get("MasterUserPassword")) },
		"DeleteDBInstance":                func(ctx context.Context) error { return s.RemoveInstance(ctx, instance) },
		"DescribeDBInstances":             func(context.Context) error { return nil },
	}[action]
	if act == nil {
		return false
	}
	answer, ok := f.ask(w, r, body)
	if !ok {
		return true
	}
	err = act(r.Context())
	if err == nil {
		answer, err = f.located(answer)
	}
	if err != nil {
		f.opt.Log.Error("rds", "action", action, "error", err)
		writeFailure(w, err)
		return true
	}
	_, _ = w.Write(answer)
	return true
}

var (
	instanceElement = regexp.MustCompile(`(?s)<DBInstance>.*?</DBInstance>`)
	endpointElement = regexp.MustCompile(`(?s)<Endpoint>.*?</Endpoint>`)
	// restorable is moto's claim that every moment can be restored.
	restorable = regexp.MustCompile(`(?s)<LatestRestorableTime>.*?</LatestRestorableTime>`)
)

// located tells in an answer of moto where the instances' servers are, and what a restored one calls itself.
func (f *Front) located(answer []byte) ([]byte, error) {
	var failed error
	out := instanceElement.ReplaceAllFunc(answer, func(element []byte) []byte {
		host, port, name, restored, err := f.opt.Snapshots.Instance(elementText(element, "DBInstanceIdentifier"), elementText(element, "Engine"))
		if err != nil {
			failed = err
			return element
		}
		element = restorable.ReplaceAll(element, nil)
		element = endpointElement.ReplaceAllLiteral(element, []byte("<Endpoint><Address>"+host+"</Address><Port>"+strconv.Itoa(port)+"</Port></Endpoint>"))
		if restored {
			for _, key := range []string{"MasterUsername", "DBName"} {
				element = textElement(key).ReplaceAllLiteral(element, []byte("<"+key+">"+name+"</"+key+">"))
			}
		}
		return element
	})
	return out, failed
}

func textElement(key string) *regexp.Regexp {
	return regexp.MustCompile("<" + key + ">([^<]*)</" + key + ">")
}

// elementText is the text of the first element of a name.
func elementText(element []byte, key string) string {
	if found := textElement(key).FindSubmatch(element); found != nil {
		return string(found[1])
	}
	return ""
}
