"""What people say for what a tool does: read by `tool_search` beside the tool's own description, and shown to nobody.

Everyday words only, the ones a description has no room for; words that every task has ("make", "new") would find nothing.
"""

from __future__ import annotations

SAID = {
    "agent_spawn": "assistants helpers workers subagents delegate parallel each separately simultaneously side people "
    "team members distribute individually person",
    "archive": "zip unzip tar bundle compress decompress extract unpack pack package backup 7z rar tar.gz folder "
    "things out inside",
    "artifact_publish": "hand deliver finished result download give share output available provide over present publish",
    "ask_approval": "approval permission sign-off confirm decide boss manager yes no go-ahead agree allow before check "
    "sign off authorise money spent publish person consent",
    "ask_input": "ask user question clarify which prefer choose missing information unsure get from customer know find "
    "out answer details size colour",
    "browser_click": "press button link tap accept cookies tab choose select menu next hit control continue submit blue "
    "icon close popup",
    "browser_extract": "structured list products prices articles scrape take data from page json table records grid screen "
    "rows turn fields collect",
    "browser_fill": "form enter type field address contact log in login sign password username submit register complete "
    "registration signup checkout input fields search box",
    "browser_open": "website javascript scripts dynamic site shop visit load navigate portal real browser dashboard app "
    "single-page go web open",
    "browser_read": "page now current shows look again see visible text",
    "browser_screenshot": "picture photo capture image landing page website screenshot proof appears homepage looks how of",
    "browser_wait": "loaded loading appear disappear spinner until results ready",
    "calculate": "math sum average mean percent percentage tax vat days between until age born birthday date convert "
    "miles kilometres units currency time zone how many much old square root times dollars hour compute "
    "multiply divide plus minus interest formula arithmetic equation",
    "calendar_create": "meeting appointment invitation invite event ics schedule date monday tuesday reminder",
    "chart_create": "plot graph diagram line bar pie curve draw visualise share shares trend monthly develop developed "
    "histogram scatter figure graphic over",
    "code_check": "lint linter style errors ruff unused format quality problems module static analysis warnings pep8 smells",
    "code_test": "unit tests pytest failing pass suite run green red test build regression check whether",
    "compare": "differ difference diff versions drafts two both same identical changed offer a b against versus not",
    "confluence_read": "wiki page intranet team documentation say confluence architecture look find documented",
    "confluence_write": "wiki page publish team intranet documentation update put confluence document record decision create "
    "edit",
    "data_profile": "overview dataset columns missing values gaps outliers odd describe statistics quality kind kinds "
    "each column hold distribution summary types",
    "data_query": "sql count group by join filter sort csv table customers orders sales spent most per total which top "
    "ten turnover parquet aggregate highest lowest rank xlsx tsv records",
    "doc_read": "word pdf contract letter report annual scanned powerpoint document attached say summarise text mail "
    "main points paper docx file read extract pages pptx odt",
    "docx_create": "word document letter minutes report memo printable formal sign cover docx contract offer write",
    "email_send": "mail e-mail message forward send boss stakeholders recipient let know attachment reply respond "
    "supplier attach quote write inbox answer cc",
    "feed_read": "rss atom news newsletter blog headlines latest podcast entries today's updates subscribe articles",
    "file_delete": "remove throw away trash drop clean old rid temporary cleanup discard wipe unneeded",
    "file_edit": "change replace swap correct fix typo word name sentence paragraph readme text rename heading chapter "
    "line adjust modify rewrite part section edit",
    "file_find": "which files are there list folder directory called named pdf pictures have look everything data tree "
    "overview",
    "file_grep": "search inside files logs source code function where word mentions occurs contains config line "
    "containing text pattern",
    "file_move": "rename move copy folder put into duplicate template under another name relocate reorganise",
    "file_read": "open show see text file txt log contents says lines print config yaml cat display head",
    "file_write": "save store new text file markdown json put write down disk list as cities txt create dump record to",
    "git": "repository github clone copy commits history blame branch who changed line source version commit changes "
    "message status push pull log merge checkout tag",
    "go_deep": "more work longer time thorough complex difficult big slow mode switch deeper careful extensive",
    "http_request": "api rest endpoint put post get delete service backend call json token query weather key fetch from "
    "graphql",
    "image_view": "photo picture screenshot logo see recognise ocr numbers look image jpg png dog what is in describe breed",
    "json_query": "json api answer field values names pick take out nested element results response key path third",
    "kb_search": "faq policy refund support customers help manual internal knowledge company answer our how do "
    "handbook leave guideline rules say documents terms",
    "memory_save": "remember keep mind preference always later next time forget allergic note my personal fact",
    "memory_search": "remembered earlier before told preference previous know about me like usual my what did recall",
    "monitor_capture": "snapshot record look today right now competitor page save state preserve archive copy as it is",
    "monitor_compare": "changed change since last yesterday difference page new altered previous visit time updated terms",
    "monitor_watch": "watch observe alert soon available changes price track keep eye week rate notify tell when off "
    "market comes back drops below stock inform once happens",
    "note_read": "notes scratchpad found so far steps others interim findings note noted look up what did i write",
    "note_write": "jot write down finding interim later scratchpad steps note record limited log important fact keep for",
    "notify": "progress sign update inform short message owner status done half ping interim heads up let know me",
    "office_preview": "look render slides pages before check layout overlaps overflow picture presentation deck right "
    "visually proof",
    "patch_apply": "diff patch source apply change fix.patch unified hunk changes",
    "pdf_create": "pdf print export convert join merge combine turn printing as document save",
    "plan_create": "plan steps divide split break pieces parallel project study same time organise tasks depend other "
    "subtasks roadmap phases structure",
    "plan_update": "plan steps change drop add skip third remaining longer task obsolete second take out reorder revise remove",
    "python_run": "python program simulate simulation statistics regression correlation train model pandas numpy "
    "compute random fit curve points scipy algorithm script plot execute code prime matrix",
    "schedule": "repeat every morning day week friday hourly daily weekly recurring again regularly cron night month "
    "next do check each nightly routine periodically",
    "script_run": "loop many calls tools repeat over each fifty hundred batch script go through list every entry call "
    "lookup all items one by",
    "sheet_create": "excel xlsx workbook spreadsheet table totals formulas export figures per year overview margins sums "
    "columns calculation budget template",
    "sheet_read": "excel xlsx workbook spreadsheet tab sheet rows cells budget show column stands offers value read what in",
    "sheet_update": "excel xlsx workbook spreadsheet cell change rows append add fill missing existing budget set correct "
    "price d4 a1 enter value",
    "shell_run": "command terminal bash make build install project folder run execute configure script program linux cli npm",
    "slack_post": "slack channel message line team chat drop alert post inform dev ops outage workspace",
    "slides_create": "powerpoint presentation deck pptx slideshow investors board quarter pages ten market management talk "
    "pitch slide",
    "tool_search": "tool find which can",
    "wait": "pause sleep later until tomorrow hours come back monday continue after weekend delay hold time",
    "web_crawl": "every page whole site all pages help centre documentation collect product catalogue gather job ads "
    "careers section everything from subpages sitemap",
    "web_fetch": "url link http https www article page text blog download read address say webpage open content",
    "web_search": "google internet online find out look up recent reviews news people say rivals competitors who "
    "companies new press merger anything about search information facts",
    "webhook_send": "webhook trigger ci system deployment tell automation hook fire starts build pipeline zapier event",
}

CONCEPTS = {
    # what is done
    "create": "make build produce generate prepare draft write compose design author construct assemble draw plot "
    "print render set form record lay",
    "update": "change edit adjust modify revise amend append add replace set insert correct fix put fill refresh "
    "swap rewrite alter tweak enter",
    "read": "look show view display see tell says say quote summarise summarize contents contain open inspect go "
    "through extract text understand explain describe skim examine review",
    "find": "search look locate where which seek hunt spot list there exist any somewhere already",
    "send": "mail post message forward notify tell inform deliver reply share let",
    "delete": "remove trash rid erase drop discard clear clean throw wipe purge away",
    "move": "rename relocate copy duplicate name reorganise put folder rearrange",
    "run": "execute launch start run invoke program script command",
    "compare": "differ difference differences different diff versus against between same identical changed",
    "watch": "monitor observe track eye alert follow notice soon",
    "save": "keep store remember note jot log down leave dump put behind retain",
    "search": "find look google research discover who when lookup",
    "fetch": "download get read open load retrieve grab pull",
    "click": "press push tap hit expand collapse tick choose pick follow accept dismiss button toggle select",
    "fill": "enter type complete submit register sign book order reserve log login form apply",
    "wait": "sleep pause until later delay hold tomorrow resume",
    "schedule": "repeat every recurring regularly daily hourly weekly nightly each periodic",
    "ask": "question enquire request clarify prefer check permission approve",
    "plan": "steps stages phases approach organise structure break divide split roadmap milestones strategy",
    "calculate": "compute sum percent percentage average split divide multiply total how much many convert tax "
    "interest bill between add rate",
    "remember": "memory memorise preference prefer later always call told earlier recall know previously",
    "analyse": "profile overview statistics distribution feel summary quality columns missing describe understand",
    "query": "count group sum filter join rank top total most rows aggregate sql per",
    "crawl": "whole complete entire all every site manual pages documentation collect gather",
    # what it is done to
    "file": "document text note folder directory paper txt md brochure letter",
    "spreadsheet": "excel xlsx xls ods workbook sheet sheets expenses budget cells ledger table forecast",
    "table": "csv tsv parquet dataset rows columns data records measurements",
    "slides": "presentation powerpoint pptx deck slideshow pitch keynote",
    "document": "word docx pdf report letter contract memo minutes brief manual paper handbook invoice clauses",
    "picture": "image images photo photos screenshot pictures png jpg jpeg gif webp diagram drawing logo scan",
    "chart": "plot graph diagram bar pie line histogram curve visualise trend",
    "email": "mail e-mail inbox letter cc recipient attachment",
    "web": "internet online google website page site url link article browser",
    "browser": "website webpage portal javascript click form button login restaurant",
    "news": "feed rss atom blog headlines posts podcast newsletter",
    "code": "repository repo source function bug test lint commit git branch todo comments",
    "api": "http rest endpoint request json service",
    "team": "slack channel chat colleagues",
    "wiki": "confluence intranet documentation space",
    "knowledge": "faq policy manual handbook guideline rules",
    "notes": "note scratchpad findings jot",
    "price": "prices cost rate offer",
    "person": "owner user boss manager customer people someone human",
    "archive": "zip tar gz 7z compress unpack pack bundle",
    "meeting": "appointment invite invitation calendar event",
}
"""What people mean → words they say for it; a word may mean several things. Read off by `tool_search` from names and wishes."""

ENDINGS = {
    "picture": "png jpg jpeg gif webp bmp tiff svg",
    "table": "csv tsv parquet jsonl",
    "spreadsheet": "xlsx xls ods",
    "slides": "pptx odp",
    "document": "pdf docx odt doc",
    "archive": "zip tar gz 7z",
    "file": "txt md ini log yaml yml toml json cfg conf",
}
"""What a file's ending says of it."""
