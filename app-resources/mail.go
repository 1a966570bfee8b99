package appresources

import (
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// MailProps says who sends mail.
type MailProps struct {
	Env config.Environment
	// Zone holds the domain of From.
	Zone awsroute53.IHostedZone
	// From is the one address that mail comes from, in lower case. Its domain has one identity in the account and region.
	From string
}

// Mail lets an app send mail through Amazon SES.
type Mail struct {
	constructs.Construct
	construct.Part
	// Rights are what a role needs to send mail from the address, and from no other.
	Rights policy.Document
}

// dkimTTL is how long resolvers may keep the DKIM records, in seconds.
const dkimTTL = "1800"

// NewMail makes the SES identity of the address's domain, and in its zone the three records of Easy DKIM, by which SES sees
// that the domain is the account's and receivers see that the mail is the domain's. SES verifies the domain some minutes
// after the records are there. A new account is in SES's sandbox, where only addresses and domains that are identities
// themselves get mail: https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
func NewMail(scope constructs.Construct, id string, props *MailProps) *Mail {
	m := &Mail{Rights: sendingRights(props)}
	construct.Init(m, scope, id)
	domain := props.From[strings.LastIndex(props.From, "@")+1:]
	identity := awsses.NewEmailIdentity(m, jsii.String("Identity"), &awsses.EmailIdentityProps{
		// By name, not by zone: the domain may lie below the zone.
		Identity: awsses.Identity_Domain(jsii.String(domain)),
	})
	for i, record := range *identity.DkimRecords() {
		// The L2 would append the zone to a name that is not known before the deployment.
		awsroute53.NewCfnRecordSet(m, jsii.String("DKIM"+strconv.Itoa(i+1)), &awsroute53.CfnRecordSetProps{
			HostedZoneId:    props.Zone.HostedZoneId(),
			Name:            record.Name,
			Type:            jsii.String("CNAME"),
			ResourceRecords: &[]*string{record.Value},
			Ttl:             jsii.String(dkimTTL),
		})
	}
	return m
}

// sendingRights allow mail from one address. SES asks for SendRawEmail when a message comes as a whole (as Ghost's do), and
// for SendEmail when it comes in parts. All identities are resources because in the sandbox SES asks for the recipient's,
// too; it is the condition that leaves one sender.
// https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
func sendingRights(props *MailProps) policy.Document {
	identities := policy.List{props.Env.ARN("ses", "identity/*")}
	return policy.Of(policy.Allow("", identities, "ses:SendEmail", "ses:SendRawEmail").If(map[string]any{
		"StringEquals": map[string]any{"ses:FromAddress": props.From},
	}))
}
