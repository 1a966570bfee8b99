package front

import (
	"encoding/json"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// authenticate is the webhook that the API server asks about tokens that are none of its own:
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
func (f *Front) authenticate(w http.ResponseWriter, r *http.Request) {
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		writeFailure(w, invalidParameter("the request must be a TokenReview: %v", err))
		return
	}
	user, groups, err := f.opt.Authenticate(r.Context(), review.Spec.Token)
	review.Spec = authenticationv1.TokenReviewSpec{} // the answer needs no token
	if err != nil {
		review.Status.Error = err.Error()
	} else {
		review.Status.Authenticated, review.Status.User = true, authenticationv1.UserInfo{Username: user, Groups: groups}
	}
	writeJSON(w, http.StatusOK, review)
}
