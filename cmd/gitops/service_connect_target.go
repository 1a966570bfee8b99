package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/client"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services"
)

// targetOf reads what the pods of a service connect with.
func targetOf(ctx context.Context, access *rest.Config, service, environment, kind string, of services.Connection) (client.Target, error) {
	kube, err := dynamic.NewForConfig(access)
	if err != nil {
		return client.Target{}, err
	}
	held, err := values(ctx, kube, "secrets", service, of.SecretName(service), "data")
	if err != nil {
		return client.Target{}, fmt.Errorf("%w; it is there once %s is published: see gitops service status %[2]s --env %s", err, service, environment)
	}
	fields := map[string]string{}
	for variable, key := range of.Variables {
		value, err := base64.StdEncoding.DecodeString(held[variable])
		if err != nil || len(value) == 0 {
			return client.Target{}, fmt.Errorf("secret %s of namespace %s must have %s", of.SecretName(service), service, variable)
		}
		fields[key] = string(value)
	}
	port, err := strconv.Atoi(fields["port"])
	if err != nil {
		return client.Target{}, fmt.Errorf("secret %s of namespace %s: the port must be a number, got %q", of.SecretName(service), service, fields["port"])
	}
	t := client.Target{
		Kind: kind, Host: fields["host"], Port: port, User: fields["username"], Password: fields["password"], Database: fields["dbname"],
	}
	t.CA, err = authorities(ctx, kube, service, t)
	return t, err
}

// authorities are those of the server's certificate. A database's are in the namespace of its service. A cache's is one that
// every system knows, but for the one that signs for loopback alone, which is a fact of the environment.
func authorities(ctx context.Context, kube dynamic.Interface, service string, t client.Target) ([]byte, error) {
	namespace, name, key, field := service, services.DatabaseCAConfigMap, services.DatabaseCAKey, "binaryData"
	if t.Kind == client.Cache {
		if !onLoopback(t.Host) {
			return nil, nil
		}
		namespace, name, key, field = flux.Root, config.LocalFactsName, config.DatabaseCAFact, "data"
	}
	return certificates(ctx, kube, namespace, name, key, field)
}

// certificates are those that a ConfigMap holds in base64.
func certificates(ctx context.Context, kube dynamic.Interface, namespace, name, key, field string) ([]byte, error) {
	held, err := values(ctx, kube, "configmaps", namespace, name, field)
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(held[key])
	if err != nil || len(text) == 0 {
		return nil, fmt.Errorf("ConfigMap %s of namespace %s: %s must be certificates in base64", name, namespace, key)
	}
	return text, nil
}

// values are those of an object's field.
func values(ctx context.Context, kube dynamic.Interface, resource, namespace, name, field string) (map[string]string, error) {
	object, err := kube.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", namespace, err)
	}
	found, _, err := unstructured.NestedStringMap(object.Object, field)
	return found, err
}

// onLoopback reports whether an address is of this machine.
func onLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// prefix begins the variables of a connection.
func prefix(of services.Connection) string {
	name, _, _ := strings.Cut(of.URL, "_")
	return name
}
