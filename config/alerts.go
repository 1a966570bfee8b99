package config

// Alerts is where Flux tells of what it cannot apply, beside what [tells by mail](guides/alerts.md).
type Alerts struct {
	// What takes the errors of Flux by a webhook: `slack`, `msteams`, `discord`, `googlechat`, `rocket`, `lark`, `webex`, or `generic-hmac`, any program that checks a signature; or `none`. Its address is the secret `/<environment>/flux/alert-webhook`, which must be there first.
	Webhook string `json:"webhook" default:"none" example:"\"slack\""`
	// Whether Flux gives each commit on GitHub the status of each of its Kustomizations, beside that of the deployment. It needs the token in `/<environment>/flux/status-token`.
	CommitStatus bool `json:"commitStatus" default:"false"`
	// Whether the errors of Flux reach the topic `<environment>-delivery` as well, and so the addresses of `delivery.notify`. It makes a function of Lambda that anybody on the internet can call, and that takes only what Flux has signed: [how](guides/alerts.md#how-an-error-of-flux-reaches-sns).
	SNS bool `json:"sns" default:"false"`
}

// noAlerts is the webhook of an environment without one.
const noAlerts = "none"

// webhooks are the providers of Flux that take nothing but an address, or that and a key:
// https://fluxcd.io/flux/components/notification/providers/
var webhooks = []string{noAlerts, "discord", "generic-hmac", "googlechat", "lark", "msteams", "rocket", "slack", "webex"}

// facts choose the components of k8s/platform/configs/alerts.
func (a Alerts) facts() map[string]string {
	chosen := map[string]string{"ALERTS_WEBHOOK": noAlerts, "ALERTS_PROVIDER": a.Webhook, "ALERTS_STATUS": noAlerts, "ALERTS_SNS": noAlerts}
	if a.Webhook != noAlerts {
		chosen["ALERTS_WEBHOOK"] = "webhook"
	}
	if a.CommitStatus {
		chosen["ALERTS_STATUS"] = "github"
	}
	if a.SNS {
		chosen["ALERTS_SNS"] = "topic"
	}
	return chosen
}

// checkAlerts checks where Flux tells of errors.
func checkAlerts(f field, e Environment) {
	f.key("webhook").oneOf(e.Alerts.Webhook, webhooks...)
	if e.Alerts.CommitStatus && e.RepositoryURL != e.Repository.URL() {
		f.key("commitStatus").add("leave it out, or follow the repository on GitHub", "must be false where Flux follows another address than GitHub's, got %s", e.RepositoryURL)
	}
	if e.Alerts.SNS && !e.Delivers() {
		f.key("sns").add("leave it out, or set delivery.connectionArn", "must be false where delivery.connectionArn is not set: the topic is that of the pipelines")
	}
}
