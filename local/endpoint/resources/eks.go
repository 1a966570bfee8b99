package resources

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func init() {
	Register(&Type{
		Name: "AWS::EKS::Cluster",
		Properties: []string{"AccessConfig", "BootstrapSelfManagedAddons", "ComputeConfig", "DeletionProtection", "EncryptionConfig",
			"KubernetesNetworkConfig", "Logging", "Name", "ResourcesVpcConfig", "RoleArn", "StorageConfig", "Tags", "UpgradePolicy",
			"Version", "ZonalShiftConfig"},
		Create: createCluster, Update: updateCluster, Delete: deleteCluster,
	})
}

// clusterInput translates the properties into those of the API.
func clusterInput(p Properties) (*eks.CreateClusterInput, error) {
	in := &eks.CreateClusterInput{}
	settings := p.without("Logging", "Name", "Tags")
	if err := decode(settings, in); err != nil {
		return nil, err
	}
	in.Logging = clusterLogging(p)
	return in, nil
}

// clusterLogging turns {ClusterLogging: {EnabledTypes: [{Type: api}]}} into the
// lists of enabled and disabled types of the API.
func clusterLogging(p Properties) *ekstypes.Logging {
	var on, off []ekstypes.LogType
	for _, t := range p.Object("Logging").Object("ClusterLogging").Objects("EnabledTypes") {
		on = append(on, ekstypes.LogType(t.String("Type")))
	}
	for _, t := range ekstypes.LogType("").Values() {
		if !slices.Contains(on, t) {
			off = append(off, t)
		}
	}
	var setup []ekstypes.LogSetup
	if len(on) > 0 {
		setup = append(setup, ekstypes.LogSetup{Enabled: aws.Bool(true), Types: on})
	}
	return &ekstypes.Logging{ClusterLogging: append(setup, ekstypes.LogSetup{Enabled: aws.Bool(false), Types: off})}
}

func createCluster(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "Name", 100, false)
	in, err := clusterInput(p)
	if err != nil {
		return Result{}, err
	}
	in.Name, in.Tags = &name, r.tags(p)
	if err := r.made(done(r.eks().CreateCluster(ctx, in)), p.Has("Name"), "ResourceInUse"); err != nil {
		return Result{}, err
	}
	if _, err := clusterGroup(ctx, r, name, p); err != nil {
		return Result{ID: name}, err
	}
	return clusterResult(ctx, r, name, p)
}

// clusterGroup returns the security group that EKS creates with a cluster and
// attaches to nodes and control plane; it makes the group if it is missing.
// moto makes none, but other resources of a stack name it.
func clusterGroup(ctx context.Context, r *Request, cluster string, p Properties) (string, error) {
	id, err := findClusterGroup(ctx, r, cluster)
	if id != "" || err != nil {
		return id, err
	}
	subnets := p.Object("ResourcesVpcConfig").Strings("SubnetIds")
	out, err := r.ec2().DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: subnets})
	if err != nil {
		return "", err
	}
	subnet, err := onlyOne(out.Subnets, nil, "a subnet of cluster "+cluster)
	if err != nil {
		return "", err
	}
	name := "eks-cluster-sg-" + cluster + "-" + r.Account
	created, err := r.ec2().CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: &name, VpcId: subnet.VpcId,
		Description: aws.String("EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads."),
	})
	if err != nil {
		return "", err
	}
	id = *created.GroupId
	tags := map[string]string{"Name": name, "kubernetes.io/cluster/" + cluster: "owned", "aws:eks:cluster-name": cluster}
	if _, err := r.ec2().CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tagList(tags, ec2Tag)}); err != nil {
		return id, err
	}
	return id, authorize(ctx, r, id, "ingress", []Properties{{"IpProtocol": "-1", "SourceSecurityGroupId": id}})
}

func findClusterGroup(ctx context.Context, r *Request, cluster string) (string, error) {
	out, err := r.ec2().DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:aws:eks:cluster-name"), Values: []string{cluster}},
	}})
	if err != nil || len(out.SecurityGroups) == 0 {
		return "", err
	}
	return aws.ToString(out.SecurityGroups[0].GroupId), nil
}

func clusterResult(ctx context.Context, r *Request, name string, p Properties) (Result, error) {
	out, err := r.eks().DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return Result{ID: name}, err
	}
	group, err := findClusterGroup(ctx, r, name)
	if err != nil {
		return Result{ID: name}, err
	}
	cluster := out.Cluster
	attributes := map[string]any{
		"Id": name, "Arn": aws.ToString(cluster.Arn), "Endpoint": r.ClusterEndpoint, "CertificateAuthorityData": r.ClusterCA,
		"ClusterSecurityGroupId": group, "OpenIdConnectIssuerUrl": "", "EncryptionConfigKeyArn": encryptionKey(p),
		"KubernetesNetworkConfig.ServiceIpv4Cidr": "10.96.0.0/16",
	}
	if cluster.Identity != nil && cluster.Identity.Oidc != nil {
		attributes["OpenIdConnectIssuerUrl"] = aws.ToString(cluster.Identity.Oidc.Issuer)
	}
	return Result{ID: name, Attributes: attributes}, nil
}

func encryptionKey(p Properties) string {
	for _, c := range p.Objects("EncryptionConfig") {
		return c.Object("Provider").String("KeyArn")
	}
	return ""
}

// updateCluster changes what EKS can change in a running cluster, one kind of
// change per call, as the API demands.
func updateCluster(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	in, err := clusterInput(updated)
	if err != nil {
		return Result{}, err
	}
	var calls []*eks.UpdateClusterConfigInput
	if changed(old, updated, "Logging") {
		calls = append(calls, &eks.UpdateClusterConfigInput{Logging: in.Logging})
	}
	if changed(old, updated, "ResourcesVpcConfig") {
		calls = append(calls, &eks.UpdateClusterConfigInput{ResourcesVpcConfig: in.ResourcesVpcConfig})
	}
	if changed(old, updated, "AccessConfig") && in.AccessConfig != nil {
		access := &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: in.AccessConfig.AuthenticationMode}
		calls = append(calls, &eks.UpdateClusterConfigInput{AccessConfig: access})
	}
	if changed(old, updated, "UpgradePolicy") {
		calls = append(calls, &eks.UpdateClusterConfigInput{UpgradePolicy: in.UpgradePolicy})
	}
	if changed(old, updated, "DeletionProtection") {
		calls = append(calls, &eks.UpdateClusterConfigInput{DeletionProtection: aws.Bool(updated.Bool("DeletionProtection"))})
	}
	for _, call := range calls {
		call.Name = &name
		if _, err := r.eks().UpdateClusterConfig(ctx, call); err != nil {
			return Result{}, err
		}
	}
	if changed(old, updated, "Version") {
		if err := upgradeCluster(ctx, r, name, old.String("Version"), updated.String("Version")); err != nil {
			return Result{}, err
		}
	}
	return clusterResult(ctx, r, name, updated)
}

// upgradeCluster refuses what EKS refuses: steps of more than one minor, and
// steps back outside of a rollback, which asks for the version that runs.
func upgradeCluster(ctx context.Context, r *Request, name, from, to string) error {
	a, b := minor(from), minor(to)
	if b > a+1 {
		return fmt.Errorf("InvalidParameterException: Unsupported Kubernetes minor version update from %s to %s", from, to)
	}
	return done(r.eks().UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: &name, Version: &to}))
}

func minor(version string) int {
	_, m, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(m)
	return n
}

func deleteCluster(ctx context.Context, r *Request, name string, _ Properties) error {
	if _, err := r.eks().DeleteCluster(ctx, &eks.DeleteClusterInput{Name: &name}); gone(err) != nil {
		return err
	}
	group, err := findClusterGroup(ctx, r, name)
	if err != nil || group == "" {
		return err
	}
	return deleteGroup(ctx, r, group, nil)
}
