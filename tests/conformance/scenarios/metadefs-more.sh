# Metadata definitions: what the other scenarios leave out, in both grammars.
cat > full.json <<'JSON'
{"namespace": "Full::Space", "display_name": "Full", "description": "All of it", "visibility": "public", "protected": true,
 "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_", "properties_target": "image"}, {"name": "OS::Nova::Flavor"}],
 "properties": {"speed": {"title": "Speed", "type": "string", "description": "How fast", "enum": ["slow", "fast"], "default": "slow", "operators": ["<or>"]},
  "count": {"title": "Count", "type": "integer", "minimum": 1, "maximum": 9, "readonly": true},
  "list": {"title": "List", "type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "minItems": 1, "maxItems": 3}},
 "objects": [{"name": "Thing", "description": "A thing", "required": ["x"], "properties": {"x": {"title": "X", "type": "integer", "default": 3}, "y": {"title": "Y", "type": "boolean"}}}],
 "tags": [{"name": "one"}, {"name": "two"}]}
JSON
run glance md-namespace-import < full.json
run glance md-namespace-import --file full.json
run glance md-namespace-import --file no-such.json
run glance md-namespace-import
echo '[]' > list.json
run glance md-namespace-import --file list.json
echo '{"display_name": "x"}' > nameless.json
run glance md-namespace-import --file nameless.json
echo '{"namespace": "x", "visibility": "odd"}' > odd.json
run glance md-namespace-import --file odd.json
run glance md-namespace-show Full::Space
run glance md-namespace-show Full::Space --resource-type OS::Nova::Server
run glance md-namespace-show Full::Space --max-column-width 20
run glance md-property-list Full::Space
run glance md-property-show Full::Space speed
run glance md-property-show Full::Space list
run glance md-object-show Full::Space Thing
run glance md-object-property-show Full::Space Thing x
run glance md-property-delete Full::Space speed
run glance md-object-delete Full::Space Thing
run glance md-tag-delete Full::Space one
run glance md-resource-type-deassociate Full::Space OS::Nova::Flavor
run glance md-resource-type-deassociate Full::Space Nothing
run glance md-namespace-objects-delete Full::Space
run glance md-namespace-properties-delete Full::Space
run glance md-namespace-tags-delete Full::Space
run glance md-namespace-delete Full::Space
run openstack image metadef namespace show Full::Space
run openstack image metadef namespace show Full::Space -f json
run openstack image metadef property list Full::Space
run openstack image metadef property show Full::Space speed
run openstack image metadef property show Full::Space list -f json
run openstack image metadef property show Full::Space count
run openstack image metadef property show Full::Space nothing
run openstack image metadef object list Full::Space -f json
run openstack image metadef object show Full::Space Thing
run openstack image metadef object show Full::Space Thing -f json
run openstack image metadef object show Full::Space Nothing
run openstack image metadef object property show Full::Space Thing x
run openstack image metadef resource type association list Full::Space
run openstack image metadef resource type association delete Full::Space OS::Nova::Flavor
run openstack image metadef resource type association delete Full::Space OS::Nova::Flavor --force
run openstack image metadef resource type association delete Full::Space OS::Nova::Flavor --force
run openstack image metadef namespace show Full::Space
# The real --force takes the description and the visibility away: from here on they are the same again.
quiet openstack image metadef namespace set Full::Space --private --protected
as demo
run glance md-namespace-list
run glance md-namespace-show Full::Space
run glance md-namespace-create Demo::Space
run glance md-namespace-update Full::Space --display-name Mine
run glance md-namespace-delete Full::Space
run glance md-property-create Full::Space --name a --title A --type string --schema '{}'
run glance md-object-create Full::Space --name a --schema '{}'
run glance md-tag-create Full::Space --name a
run glance md-tag-create-multiple Full::Space --names a,b
run glance md-resource-type-associate Full::Space --name a
run glance md-resource-type-list
run openstack image metadef namespace create Demo::Space
run openstack image metadef namespace set Full::Space --display-name Mine
run openstack image metadef namespace delete Full::Space
run openstack image metadef property delete Full::Space count
as admin
run openstack image metadef namespace set Full::Space --unprotected
run glance md-namespace-show Full::Space
as demo
run glance md-namespace-list
run glance md-namespace-show Full::Space
run glance md-property-list Full::Space
run glance md-object-list Full::Space
run glance md-tag-list Full::Space
run glance md-namespace-resource-type-list Full::Space
run glance md-namespace-delete Full::Space
run openstack image metadef namespace show Full::Space
as admin
run openstack image metadef namespace set Full::Space --public --tag three --tag one
run openstack image metadef namespace unset Full::Space --tag two
run openstack image metadef namespace unset Full::Space --tag two
run glance md-tag-list Full::Space
run openstack image metadef namespace unset Full::Space --all-tags
run openstack image metadef namespace unset Full::Space
run glance md-tag-list Full::Space
run openstack image metadef property set Full::Space list --name lists --schema '{"description": "Several"}'
run openstack image metadef property show Full::Space lists -f json
run glance md-property-show Full::Space lists
run openstack image metadef property set Full::Space nothing --title x
run openstack image metadef property create Full::Space --name bad --title Bad --type nonsense --schema '{}'
run openstack image metadef property create No::Space --name bad --title Bad --type string --schema '{}'
run openstack image metadef property delete Full::Space speed nothing
run openstack image metadef property delete Full::Space
run openstack image metadef property list Full::Space
run openstack image metadef object create Second --namespace No::Space
run openstack image metadef object create Second
run openstack image metadef object create Thing --namespace Full::Space
run openstack image metadef object update Full::Space Thing --name Other
run openstack image metadef object update Full::Space Nothing --name Other
run openstack image metadef object show Full::Space Other -f json
run openstack image metadef object delete Full::Space Other Nothing
run openstack image metadef object delete Full::Space
run openstack image metadef object list Full::Space
run openstack image metadef resource type association create Full::Space Some --properties-target image
run openstack image metadef resource type association create Full::Space Some
run openstack image metadef resource type association create No::Space Some
run openstack image metadef resource type association list No::Space
run openstack image metadef property list No::Space
run openstack image metadef object list No::Space
run openstack image metadef namespace list --visibility odd
run glance md-namespace-list --visibility odd
run glance md-namespace-list --page-size 1
run glance md-namespace-list --resource-types A --resource-types Some
run glance md-resource-type-associate Full::Space --name OS::Nova::Server --prefix p: --properties-target t
run glance md-resource-type-associate Full::Space --prefix p:
run glance md-object-create Full::Space --name O --schema '{oops'
run glance md-object-create Full::Space --name O --schema '{"properties": {"w": {"type": "integer"}}}'
run glance md-object-create Full::Space --name O --schema '{"properties": {"w": {"title": "W", "type": "integer"}}, "required": ["w"], "description": "A very long description that does not fit into fifty characters of a column"}'
run glance md-object-list Full::Space
run glance md-object-update Full::Space O --schema '{"description": "Short"}'
run glance md-object-show Full::Space Nothing
run glance md-object-list No::Space
run glance md-property-list No::Space
run glance md-tag-list No::Space
run glance md-tag-create Full::Space --name ' '
run glance md-tag-create Full::Space --name x
run glance md-tag-create Full::Space --name x
run glance md-tag-create-multiple Full::Space --names 'a;b; ;x' --delim ';' --append
run glance md-tag-create-multiple Full::Space --names 'a;b; ;c' --delim ';' --append
run glance md-tag-create-multiple Full::Space --names ' , '
run glance md-tag-create-multiple Full::Space --names 'd,e'
run glance md-tag-list Full::Space
run glance md-tag-update Full::Space d --name e
run glance md-tag-update Full::Space nothing --name f
run glance md-tag-show Full::Space nothing
run glance md-namespace-update Full::Space --namespace Renamed::Space
run glance md-namespace-show Renamed::Space
run glance md-namespace-create Second::Space --owner someone --protected maybe
run glance md-namespace-create Second::Space --visibility odd
run glance md-namespace-create Second::Space --owner someone
run glance md-namespace-update Second::Space --namespace Renamed::Space
run glance md-namespace-update No::Space --display-name x
run glance md-namespace-create "$(printf 'x%.0s' {1..81})"
run glance md-namespace-delete Renamed::Space
run glance md-namespace-resource-type-list Renamed::Space
