package config

// Databases are the sizes of the instances that services share. An instance is there with the first service that asks for it; its
// users' passwords change after its `rotationDays` where a service says nothing else.
type Databases struct {
	// The shared instance of RDS for MySQL 8.4, `<environment>-shared-mysql`.
	MySQL Database `json:"mysql" example:"{\"instanceClass\": \"db.t4g.medium\", \"storageGiB\": 50}"`
	// The shared instance of RDS for PostgreSQL 17, `<environment>-shared-postgres`.
	Postgres Database `json:"postgres" example:"{\"backupDays\": 14}"`
}

// Of is the size of an engine's instance; engines are named as in a service's file.
func (d Databases) Of(engine string) Database {
	if engine == "mysql" {
		return d.MySQL
	}
	return d.Postgres
}

// Database is an RDS instance in the isolated subnets: MySQL 8.4, and PostgreSQL 17 where it says so.
type Database struct {
	// RDS instance class.
	InstanceClass string `json:"instanceClass" default:"db.t4g.small" example:"\"db.m7g.large\""`
	// A standby in another zone, with automatic failover; it doubles the price.
	MultiAZ bool `json:"multiAz" default:"false"`
	// Storage to start with, in GiB (gp3).
	StorageGiB int `json:"storageGiB" default:"20"`
	// Limit of storage autoscaling, in GiB.
	MaxStorageGiB int `json:"maxStorageGiB" default:"100"`
	// Days of automatic backups, 1 to 35; 7 or more with `deletionProtection`.
	BackupDays int `json:"backupDays" default:"7"`
	// Days that the error and slow query logs are kept in CloudWatch Logs.
	LogDays int `json:"logDays" default:"30"`
	// Days after which the password changes, 1 to 1000; no request fails by it ([rotation](guides/rotate.md)).
	RotationDays int `json:"rotationDays" default:"30" example:"90"`
}
