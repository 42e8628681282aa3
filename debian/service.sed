# From the unit that people install by hand to that of the package.
s#/usr/local/bin/#/usr/bin/#
s#^Documentation=.*#Documentation=man:lastgood(1) file:///usr/share/doc/lastgood/README.md#
# Without a policy file there is nothing to do: that is no failure.
/^Documentation=/a ConditionPathExists=/etc/lastgood/policy.toml
