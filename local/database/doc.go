// Package database runs the MySQL-protocol server of the local system: MariaDB from the system's packages,
// as a process of the present user, on loopback. It stands in for the server behind an Amazon RDS endpoint;
// MySQL itself, which RDS runs, is in no package registry that needs no account.
//
// The server has the settings of RDS for MySQL that an application meets (TLS, character set, SQL mode) and
// small buffers. Databases and users are made by whoever asks RDS for them; only the administrator that RDS
// calls rdsadmin is made here.
package database
