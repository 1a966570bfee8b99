package config

// Alerts is where Flux tells of what it cannot apply, beside what [tells by mail](guides/alerts.md).
type Alerts struct {
	// What takes the errors of Flux by a webhook: `slack`, `msteams`, `discord`, `googlechat`, `rocket`, `lark`, `webex`, or `generic-hmac`, any program that checks a signature; or `none`. Its address is the secret `/<environment>/flux/alert-webhook`, which must be there first.
	Webhook string `json:"webhook" default:"none" example:"\"slack\""`
	// Whether Flux gives each commit on GitHub the status of each of its Kustomizations, beside that of the deployment. It needs the token in `/<environment>/flux/status-token`.
	CommitStatus bool `json:"commitStatus" default:"false"`
}

// noAlerts is the webhook of an environment without one.
const noAlerts = "none"

// webhooks are the providers of Flux that take nothing but an address, or that and a key:
// https://fluxcd.io/flux/components/notification/providers/
var webhooks = []string{noAlerts, "discord", "generic-hmac", "googlechat", "lark", "msteams", "rocket", "slack", "webex"}

// facts choose the components of k8s/platform/configs/alerts.
func (a Alerts) facts() map[string]string {
	chosen := map[string]string{"ALERTS_WEBHOOK": noAlerts, "ALERTS_PROVIDER": a.Webhook, "ALERTS_STATUS": noAlerts}
	if a.Webhook != noAlerts {
		chosen["ALERTS_WEBHOOK"] = "webhook"
	}
	if a.CommitStatus {
		chosen["ALERTS_STATUS"] = "github"
	}
	return chosen
}

// checkAlerts checks where Flux tells of errors.
func checkAlerts(f field, e Environment) {
	f.key("webhook").oneOf(e.Alerts.Webhook, webhooks...)
	if e.Alerts.CommitStatus && e.RepositoryURL != e.Repository.URL() {
		f.key("commitStatus").add("leave it out, or follow the repository on GitHub", "must be false where Flux follows another address than GitHub's, got %s", e.RepositoryURL)
	}
}
