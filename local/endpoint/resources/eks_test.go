package resources

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"k8s-plus-aws-gitops/local/endpoint/front"
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
	s.podIdentity(name, role)
}

func (s *stack) podIdentity(name, role string) {
	t := s.t
	t.Helper()
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
