// The same controllers on a cluster by cdk-eks-blueprints, as its own
// documentation writes it. Its telemetry is left as shipped: it only adds a
// stack description. Flux stops at the chart's v1beta2 sources there.
const cdk = require('aws-cdk-lib');
const blueprints = require('@aws-quickstart/eks-blueprints');

blueprints.EksBlueprint.builder()
  .account('222222222222').region('eu-west-1').version('auto')
  .resourceProvider('zone', new blueprints.ImportHostedZoneProvider('Z0123456789ABCDEFGHIJ', 'dev.example.com'))
  .addOns(
    new blueprints.addons.AwsLoadBalancerControllerAddOn(),
    new blueprints.addons.ExternalDnsAddOn({ hostedZoneResources: ['zone'] }),
    new blueprints.addons.ExternalsSecretsAddOn(),
    new blueprints.addons.FluxCDAddOn(),
  )
  .build(new cdk.App(), 'peer');
