# From the package's unit to its template: each account has a policy file, credentials and a state folder.
s#^Description=.*#& (%i)#
s#/etc/lastgood/policy\.toml#/etc/lastgood/%i.toml#
s#/etc/lastgood/token#/etc/lastgood/%i.token#
s#/etc/lastgood/smtp-password#/etc/lastgood/%i.smtp-password#
s#^StateDirectory=lastgood$#StateDirectory=lastgood@%i#
# Without a name of its own, each would run as the user of lastgood.service.
/^DynamicUser=/a User=lastgood-%i
/^NotifyAccess=/a Environment=LASTGOOD_CONFIG=/etc/lastgood/%i.toml
