package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// CertificateProps says which domain a certificate is of: the environment's.
type CertificateProps struct {
	Env config.Environment
	// Zone holds the domain; ACM proves by a record there that the domain is the account's.
	Zone awsroute53.IHostedZone
}

// NewCertificate makes the wildcard certificate of the environment's domain. Nothing refers to it: the load balancer
// controller finds it in ACM by the host names of an Ingress, so that no ARN appears in any manifest.
func NewCertificate(scope constructs.Construct, id string, props *CertificateProps) awscertificatemanager.Certificate {
	return awscertificatemanager.NewCertificate(scope, jsii.String(id), &awscertificatemanager.CertificateProps{
		CertificateName: jsii.String(props.Env.Name),
		DomainName:      jsii.String("*." + props.Env.Domain),
		Validation:      awscertificatemanager.CertificateValidation_FromDns(props.Zone),
	})
}
