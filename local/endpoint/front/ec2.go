package front

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ec2 answers GetSecurityGroupsForVpc, which moto lacks, from moto's
// DescribeSecurityGroups. It returns false for every other action.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetSecurityGroupsForVpc.html
func (f *Front) ec2(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return true
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	form, err := url.ParseQuery(string(raw))
	if err != nil || form.Get("Action") != "GetSecurityGroupsForVpc" {
		return false
	}
	answer, ok := f.ask(w, r, []byte(describeGroups(form).Encode()))
	if !ok {
		return true
	}
	w.Header().Set("Content-Type", "text/xml")
	out, err := groupsForVPC(answer, form.Get("VpcId"))
	if err != nil {
		f.opt.Log.Warn("moto's security groups cannot be read", "error", err)
		unavailable(w)
		return true
	}
	_, _ = w.Write(out)
	return true
}

// describeGroups turns the request into DescribeSecurityGroups of the VPC.
func describeGroups(form url.Values) url.Values {
	out := url.Values{"Action": {"DescribeSecurityGroups"}, "Version": {form.Get("Version")}}
	n := 1
	for k, v := range form {
		if !strings.HasPrefix(k, "Filter.") {
			continue
		}
		out[k] = v
		if strings.HasSuffix(k, ".Name") {
			n++
		}
	}
	out.Set(fmt.Sprintf("Filter.%d.Name", n), "vpc-id")
	out.Set(fmt.Sprintf("Filter.%d.Value.1", n), form.Get("VpcId"))
	return out
}

type inner struct {
	XML string `xml:",innerxml"`
}

type groupForVPC struct {
	Description string `xml:"description"`
	GroupName   string `xml:"groupName"`
	OwnerID     string `xml:"ownerId"`
	GroupID     string `xml:"groupId"`
	Tags        inner  `xml:"tags"`
	VPC         string `xml:"primaryVpcId"`
}

func groupsForVPC(answer []byte, vpc string) ([]byte, error) {
	var in struct {
		Groups []struct {
			Description string `xml:"groupDescription"`
			GroupName   string `xml:"groupName"`
			OwnerID     string `xml:"ownerId"`
			GroupID     string `xml:"groupId"`
			Tags        inner  `xml:"tagSet"`
		} `xml:"securityGroupInfo>item"`
	}
	if err := xml.Unmarshal(answer, &in); err != nil {
		return nil, err
	}
	out := struct {
		XMLName   xml.Name      `xml:"http://ec2.amazonaws.com/doc/2016-11-15/ GetSecurityGroupsForVpcResponse"`
		RequestID string        `xml:"requestId"`
		Groups    []groupForVPC `xml:"securityGroupForVpcSet>item"`
	}{RequestID: randomID(16)}
	for _, g := range in.Groups {
		out.Groups = append(out.Groups, groupForVPC{g.Description, g.GroupName, g.OwnerID, g.GroupID, g.Tags, vpc})
	}
	return xml.Marshal(out)
}
