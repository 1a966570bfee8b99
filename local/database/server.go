package database

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// logFileSize is the size of InnoDB's redo log: the default of 96 MB is written out at the first start.
const logFileSize = "16M"

// serverFlags are all of the server's settings; --no-defaults keeps the system's option files out.
func serverFlags(dir string, port int, tls TLS) []string {
	flags := []string{
		"--no-defaults",
		"--datadir=" + filepath.Join(dir, "data"),
		"--tmpdir=" + filepath.Join(dir, "tmp"),
		"--init-file=" + initFile(dir),
		"--pid-file=" + filepath.Join(dir, "data", "mariadbd.pid"),
		// Relative to the data directory: the path of a Unix socket may have about 100 characters.
		"--socket=mariadbd.sock",
		"--bind-address=127.0.0.1",
		"--port=" + strconv.Itoa(port),
		"--skip-name-resolve",
		"--ssl-cert=" + tls.Cert,
		"--ssl-key=" + tls.Key,
		"--tls-version=TLSv1.2,TLSv1.3",

		// What an application meets on RDS for MySQL 8.4.
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_unicode_ci",
		"--sql-mode=ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
		"--explicit-defaults-for-timestamp=ON",
		"--max-allowed-packet=64M",
		"--local-infile=OFF",

		// Commits are written to the operating system at once and forced to the disk every second, so a
		// killed server loses nothing and only a crash of the machine can lose the last second.
		"--innodb-flush-log-at-trx-commit=2",
		"--innodb-log-file-size=" + logFileSize,

		// Small: one application with a few connections, about 100 MB resident.
		"--innodb-buffer-pool-size=48M",
		"--key-buffer-size=1M",
		"--aria-pagecache-buffer-size=4M",
		"--performance-schema=OFF",
		"--max-connections=100",
		"--table-open-cache=400",
		"--thread-cache-size=8",
		"--skip-log-bin",
		// Asynchronous IO needs kernel resources that other databases on the machine may have taken.
		"--innodb-use-native-aio=OFF",
	}
	if tls.CA != "" {
		flags = append(flags, "--ssl-ca="+tls.CA)
	}
	if tls.Required {
		flags = append(flags, "--require-secure-transport=ON")
	}
	if os.Geteuid() == 0 {
		flags = append(flags, "--user=root") // the server refuses to run as root unasked
	}
	return flags
}

// initSQL runs at every start of the server, one statement per line: it makes the administrator, gives it
// the password of the file again, and removes the anonymous accounts that mariadb-install-db makes.
func initSQL(password string) string {
	account := fmt.Sprintf("'%s'@'%%'", AdminUser)
	return "CREATE USER IF NOT EXISTS " + account + " IDENTIFIED BY '" + password + "';\n" +
		"ALTER USER " + account + " IDENTIFIED BY '" + password + "';\n" +
		"GRANT ALL PRIVILEGES ON *.* TO " + account + " WITH GRANT OPTION;\n" +
		"DELETE FROM mysql.global_priv WHERE User = '';\n" +
		"FLUSH PRIVILEGES;\n"
}
