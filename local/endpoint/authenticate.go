package endpoint

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// tokenPrefix and clusterHeader are EKS' own:
	// https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
	tokenPrefix   = "k8s-aws-v1."
	clusterHeader = "x-k8s-aws-id"
)

// accessEntries are the evaluated properties of the access entries in the stacks.
type accessEntries func(kind string) []map[string]any

// authenticator is the webhook by which an EKS API server learns who signs in: the token is a signed question "who am I",
// and the groups are those of the principal's access entry. Here as everywhere signatures are not checked, and access
// policies, which EKS evaluates beside RBAC, give nothing: only groups count.
type authenticator struct {
	aws     aws.Config
	entries accessEntries
}

// authenticate returns the user and the groups of a token.
func (a authenticator) authenticate(ctx context.Context, token string) (user string, groups []string, err error) {
	key, err := accessKey(token)
	if err != nil {
		return "", nil, err
	}
	c := a.aws.Copy()
	c.Credentials = credentials.NewStaticCredentialsProvider(key, "unchecked", "")
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", nil, fmt.Errorf("who signed the token: %w", err)
	}
	user = aws.ToString(who.Arn)
	for _, entry := range a.entries("AWS::EKS::AccessEntry") {
		principal, _ := entry["PrincipalArn"].(string)
		if !is(user, principal) {
			continue
		}
		list, _ := entry["KubernetesGroups"].([]any)
		for _, g := range list {
			if name, ok := g.(string); ok {
				groups = append(groups, name)
			}
		}
		return user, groups, nil
	}
	return "", nil, fmt.Errorf("%s has no access entry", user)
}

// accessKey finds out who signed the token.
func accessKey(token string) (string, error) {
	encoded, ok := strings.CutPrefix(token, tokenPrefix)
	signed, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return "", errors.New("the token is not one of EKS")
	}
	address, err := url.Parse(string(signed))
	if err != nil {
		return "", errors.New("the token holds no address")
	}
	q := address.Query()
	key, _, _ := strings.Cut(q.Get("X-Amz-Credential"), "/")
	if key == "" || q.Get("Action") != "GetCallerIdentity" || !strings.Contains(q.Get("X-Amz-SignedHeaders"), clusterHeader) {
		return "", errors.New("the token must be a signed GetCallerIdentity with the cluster's name among the signed headers")
	}
	return key, nil
}

// is reports whether a caller is a principal: a session of a role is told by the role's name.
func is(caller, principal string) bool {
	if caller == principal {
		return true
	}
	_, session, assumed := strings.Cut(caller, ":assumed-role/")
	role, _, _ := strings.Cut(session, "/")
	return assumed && strings.HasSuffix(principal, "/"+role) && strings.Contains(principal, ":role/")
}
