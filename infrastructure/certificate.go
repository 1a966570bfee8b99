package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// certificate makes the wildcard certificate of the environment's domain. Nothing refers to it: the load balancer
// controller finds it in ACM by the host names of an Ingress, so that no ARN appears in any manifest.
func certificate(stack awscdk.Stack, env config.Environment, zone awsroute53.IHostedZone) awscertificatemanager.Certificate {
	return awscertificatemanager.NewCertificate(stack, jsii.String("Certificate"), &awscertificatemanager.CertificateProps{
		CertificateName: jsii.String(env.Name),
		DomainName:      jsii.String("*." + env.Domain),
		Validation:      awscertificatemanager.CertificateValidation_FromDns(zone),
	})
}
