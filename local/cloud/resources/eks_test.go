package resources

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"k8s-plus-aws-gitops/local/cloud/front"
)

// withFront puts the endpoint's front before moto: it has the EKS calls that
// moto lacks.
func (s *stack) withFront() {
	s.t.Helper()
	f, err := front.New(front.Options{
		Moto: runningMoto.URL, Account: s.services.Account, Region: s.services.Region, Dir: s.t.TempDir(),
		ClusterEndpoint: s.services.ClusterEndpoint, ClusterCA: s.services.ClusterCA, Log: s.services.Log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	server := httptest.NewServer(f)
	s.t.Cleanup(server.Close)
	s.services.AWS.BaseEndpoint = aws.String(server.URL)
}

func TestCluster(t *testing.T) {
	s := newStack(t)
	s.withFront()
	vpc := s.vpc()
	a, b := s.subnet("A", vpc, "10.10.0.0/20", "eu-west-1a"), s.subnet("B", vpc, "10.10.16.0/20", "eu-west-1b")
	s.role("Role")
	role := s.att("Role", "Arn")
	s.create("AWS::KMS::Key", "Key", Properties{"KeyPolicy": document("kms:*")})
	old := Properties{
		"Name": "test", "RoleArn": role, "Version": "1.36",
		"ResourcesVpcConfig":         map[string]any{"SubnetIds": []any{a, b}, "EndpointPublicAccess": "true", "EndpointPrivateAccess": true, "PublicAccessCidrs": []any{"192.0.2.0/24"}},
		"AccessConfig":               map[string]any{"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": false},
		"EncryptionConfig":           []any{map[string]any{"Resources": []any{"secrets"}, "Provider": map[string]any{"KeyArn": s.att("Key", "Arn")}}},
		"KubernetesNetworkConfig":    map[string]any{"IpFamily": "ipv4", "ElasticLoadBalancing": map[string]any{"Enabled": false}},
		"Logging":                    map[string]any{"ClusterLogging": map[string]any{"EnabledTypes": []any{map[string]any{"Type": "api"}, map[string]any{"Type": "audit"}}}},
		"UpgradePolicy":              map[string]any{"SupportType": "STANDARD"},
		"ComputeConfig":              map[string]any{"Enabled": false},
		"StorageConfig":              map[string]any{"BlockStorage": map[string]any{"Enabled": false}},
		"BootstrapSelfManagedAddons": false, "DeletionProtection": false, "Tags": tags("a", "b"),
	}
	name := s.create("AWS::EKS::Cluster", "Cluster", old)
	if s.att("Cluster", "Endpoint") != s.services.ClusterEndpoint || s.att("Cluster", "CertificateAuthorityData") != "Y2E=" {
		t.Errorf("endpoint: %v", s.results["Cluster"].Attributes)
	}
	s.create("AWS::EC2::SecurityGroupIngress", "FromNodes", Properties{"GroupId": s.att("Cluster", "ClusterSecurityGroupId"), "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.10.0.0/16"})
	updated := old.without("Logging", "Version")
	updated["Version"] = "1.37"
	if err := s.update("AWS::EKS::Cluster", "Cluster", old, updated); err != nil {
		t.Error(err)
	}
	tooFar := old.without("Version")
	tooFar["Version"] = "1.39"
	if err := s.update("AWS::EKS::Cluster", "Cluster", updated, tooFar); err == nil {
		t.Error("two minor versions in one step were accepted")
	}
	s.clusterParts(name, role, a, b)
}

func (s *stack) clusterParts(name, role, a, b string) {
	t := s.t
	t.Helper()
	nodes := Properties{"ClusterName": name, "NodeRole": role, "Subnets": []any{a, b}, "AmiType": "AL2023_ARM_64_STANDARD", "CapacityType": "ON_DEMAND",
		"InstanceTypes": []any{"t4g.medium"}, "ScalingConfig": map[string]any{"MinSize": "2", "MaxSize": 4, "DesiredSize": 2}, "ForceUpdateEnabled": true,
		"NodeRepairConfig": map[string]any{"Enabled": true}}
	s.create("AWS::EKS::Nodegroup", "Nodes", nodes)
	scaled := nodes.without("ScalingConfig")
	scaled["ScalingConfig"] = map[string]any{"MinSize": 3, "MaxSize": 5, "DesiredSize": 3}
	if err := s.update("AWS::EKS::Nodegroup", "Nodes", nodes, scaled); err != nil {
		t.Error(err)
	}
	addon := Properties{"ClusterName": name, "AddonName": "vpc-cni", "ConfigurationValues": `{"enableNetworkPolicy":"true"}`, "ResolveConflicts": "OVERWRITE"}
	s.create("AWS::EKS::Addon", "Cni", addon)
	if err := s.update("AWS::EKS::Addon", "Cni", addon, addon.without("ConfigurationValues")); err != nil {
		t.Error(err)
	}
	policy := func(arn string) any {
		return map[string]any{"PolicyArn": arn, "AccessScope": map[string]any{"Type": "cluster"}}
	}
	entry := Properties{"ClusterName": name, "PrincipalArn": role, "AccessPolicies": []any{policy("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")}}
	s.create("AWS::EKS::AccessEntry", "Entry", entry)
	view := entry.without("AccessPolicies")
	view["AccessPolicies"] = []any{policy("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")}
	if err := s.update("AWS::EKS::AccessEntry", "Entry", entry, view); err != nil {
		t.Error(err)
	}
	policies, err := s.services.eks().ListAssociatedAccessPolicies(t.Context(), &eks.ListAssociatedAccessPoliciesInput{ClusterName: &name, PrincipalArn: &role})
	if err != nil || len(policies.AssociatedAccessPolicies) != 1 {
		t.Errorf("access policies after the update: %+v (%v)", policies, err)
	}
	identity := Properties{"ClusterName": name, "Namespace": "ghost", "ServiceAccount": "ghost", "RoleArn": role}
	s.create("AWS::EKS::PodIdentityAssociation", "Identity", identity)
	moved := identity.without("RoleArn")
	moved["RoleArn"] = "arn:aws:iam::000000000000:role/other"
	if err := s.update("AWS::EKS::PodIdentityAssociation", "Identity", identity, moved); err != nil {
		t.Error(err)
	}
	out, err := s.services.eks().ListPodIdentityAssociations(t.Context(), &eks.ListPodIdentityAssociationsInput{ClusterName: &name, Namespace: aws.String("ghost")})
	if err != nil || len(out.Associations) != 1 {
		t.Errorf("associations: %+v (%v)", out, err)
	}
}
