"""The router's vocabulary, as data: kinds of words that speak for quick answers or for long work.

`stem*` matches every word that begins so; an entry with `_` is a phrase (`_` is a space); scripts that do not put spaces
between words, or write vowels as marks, are found anywhere in the text. Words are lower case.
"""

from __future__ import annotations

VOCABULARY: dict[str, str] = {
    # ---- what a clause may open with ------------------------------------------------------------------------
    "greeting": """
        hi hello hey hiya howdy greetings yo sup thanks thank thx cheers bye goodbye welcome sorry pardon congrats
        guten good_morning good_evening good_night good_afternoon nice_to_meet hallo servus danke tschüss moin bonjour
        salut merci coucou bonsoir hola gracias buenos buenas adiós oi olá obrigado obrigada ciao grazie buongiorno
        salve hej hejsan tack tjena hoi bedankt dank привет здравствуйте спасибо пока привіт вітаю дякую cześć
        dzień_dobry dziękuję merhaba selam teşekkürler günaydın halo terima_kasih apa_kabar xin_chào cảm_ơn namaste
        ahoj děkuji γεια ευχαριστώ 你好 您好 谢谢 謝謝 早上好 再见 こんにちは おはよう ありがとう 안녕 감사 مرحبا
        شكرا سلام ممنون ہیلو שלום תודה नमस्ते नमस्कार धन्यवाद হ্যালো ধন্যবাদ வணக்கம் நன்றி నమస్కారం สวัสดี ขอบคุณ
        ନମସ୍କାର ଧନ୍ୟବାଦ""",
    "question": """
        what what's whats who who's whose whom when when's where where's which why how how's is are am was were do
        does did can could should would will may might has have had isn't aren't don't doesn't wer wie wo wann warum
        welche welcher welches kann kannst ist sind hast magst qui que quel quelle quels quelles où quand pourquoi
        comment combien est-ce qu'est-ce qué quién cuál cuáles cómo cuándo dónde cuánto o_que quem qual quais onde
        quando quanto porquê como che chi cosa cos'è quale quali dove perché come wat waar wanneer waarom hoe welke
        vad vem var när varför hur vilken что кто где когда почему зачем как какой какая какие сколько що хто де
        коли чому як який яка які скільки co kto gdzie kiedy dlaczego jak jaki ne kim nerede neden nasıl hangi apa
        siapa di_mana kapan mengapa kenapa bagaimana apakah""",
    "fact": """
        who whom whose who's when when's where where's how_many how_much how_old how_long how_far how_tall how_often
        what_year what_day what_date what_was_the_name what_is_the_name which_country which_year wer wann wo
        wie_viele wie_alt qui quand où combien quién quiénes cuándo dónde cuántos quem quando onde quantos chi dove
        quanti wie_heeft vem när var hur_många кто когда где сколько хто коли де скільки kto kiedy gdzie kim kaç
        siapa kapan 谁 誰 哪一年 多少 几个 いつ どこ 누가 언제 من_هو متى कौन कब কে কখন யார் எப்போது ใคร เมื่อไหร่ מי
        מתי""",
    "explain": """
        explain define describe clarify tell remind teach spell know understand wonder wondering erkläre erklär
        definiere beschreibe explique expliquez explica explícame explicame defina spiega spiegami definisci leg_uit
        uitleggen förklara объясни объясните расскажи поясни розкажи wyjaśnij açıkla jelaskan giải_thích 解释 解釋
        告诉我 介绍一下 説明して 教えて 설명해 알려 اشرح توضیح समझा ব্যাখ্যা விளக்க อธิบาย הסבר difference""",
    "definition": """
        what_is_a what_is_an what_does_it_mean what_is_meant meaning_of definition_of was_ist was_bedeutet qu'est_ce
        c'est_quoi qué_es qué_significa o_que_é o_que_significa cos'è che_cos'è wat_is wat_betekent vad_är hvad_er
        hva_er что_такое що_таке co_to_jest co_to_je nedir ne_demek apa_itu là_gì mikä_on mi_az τι_είναι ce_este
        什么是 什麼是 是什么意思 是什麼意思 为什么要 何ですか とは何 って何 뭐예요 무엇인가 무엇이 뭐야 ما_هو ما_هي
        ماذا_يعني لماذا یعنی_چه چیست چیه क्या_है क्या_होता কী? কি? என்றால்_என்ன அంటే_ఏమిటి అంటే คืออะไร מה_זה מהו
        کیا_ہے म्हणजे_काय どうすれば いいですか ってどういう 丁寧に言うと""",
    "remark": """
        research_shows research_says research_suggests research_is studies_show i_like i_love i_hate i_enjoy i_study
        i_am_studying thanks_for thank_you_for danke_für merci_pour gracias_por obrigado_pela obrigado_pelo
        obrigada_pela grazie_per bedankt_voor tack_för спасибо_за дякую_за dziękuję_za terima_kasih_atas me_gusta
        me_encanta j'aime j'adore ich_mag ich_liebe ich_studiere eu_gosto gosto_de mi_piace adoro ik_hou_van ik_vind
        jag_gillar мне_нравится я_люблю мені_подобається lubię seviyorum saya_suka tôi_thích 我喜欢 我喜歡 が好き 좋아해 أحب
        पसंद_है ভালোবাসি பிடிக்கும் ชอบ אני_אוהב never_mind not_sure looks_good looks_great is_great well_done""",
    "first_person": """
        i i'm i've i'd my me mine myself we our us ich mein meine mir je mon ma mes yo mi mis eu meu minha io mio
        mia ik mijn jag min я мой моя мне 我 私 나 मैं मेरा""",
    "ours": """
        our unser unsere unseren unserer notre nuestro nuestra nuestros nosso nossa nostro nostra onze наш нашу нашего""",
    "small_job": """
        translate paraphrase proofread rephrase reword spellcheck transcribe capitalize capitalise shorten convert
        solve simplify correct_the correct_this correct_my fix_the_grammar fix_my_grammar fix_grammar how_do_you_say
        how_do_i_say how_would_i_say grammar spelling synonym synonyms antonym rhymes rhyme multiply divide
        übersetze übersetz korrigiere traduis traduisez traduire corrige traduce traduzca traducir traduza traduzir
        traduci vertaal översätt переведи переведите переклади przetłumacz çevir terjemahkan dịch 翻译 翻譯 翻訳
        訳して 번역 ترجم ترجمه अनुवाद অনুবাদ மொழிபெயர் แปล תרגם fix_the_typos fix_typos formuliere formuliert
        umformulieren reformule reformulez reformula reformular riscrivi herformuleer omformulera""",
    "deep_verb": """
        research researching researches analyze analyse analyzing analysing investigate investigating audit auditing
        refactor benchmark assess conduct perform survey synthesize synthesise monitor monitoring evaluate
        reverse-engineer scrape crawl preprocess implement debug architect orchestrate prototype diagnose profile
        formulate elaborate examine explore determine deep_dive migrate migrating upgrade modernize modernise
        reproduce transcribe_all digitize digitise catalogue catalog fine-tune load-test instrument dockerize
        containerize subtitle annotate port refit""",
    "work_verb": """
        write create build develop draft prepare generate produce review test compare summarize summarise design plan
        collect gather compile identify outline propose predict detect provide discuss optimize optimise improve migrate
        port document validate verify automate deploy set_up track extract aggregate rewrite plot visualize visualise
        forecast simulate model classify cluster normalize calculate compute report acting consider fix find check map
        apply train use engineer make search clean weigh rank fit break revise redesign renegotiate restructure
        reorganise reorganize estimate scan transcribe""",
    "act_verb": """
        add create post re-post repost open set update change modify edit delete remove cancel buy purchase order
        rate follow unfollow star unstar fork invite assign mark increase decrease reduce raise lower approve reject
        upvote downvote like dislike subscribe unsubscribe submit upload publish draft promote start make merge
        close reopen reply comment send fill go visit navigate rename move copy put grant enable disable notify
        refund return ship tag label pin write thumbs give include register enroll list save display pull find show
        get search look lookup fetch crosspost react block ban archive restore clone commit push checkout complete
        apply ask share switch configure log sign reorder replace bump view check book reserve schedule generate
        set_up turn abstain discuss customize reassign transfer unlock lock preview duplicate revoke mute unmute
        attach detach link unlink confirm rsvp release""",
    "abroad_verb": """
        recherchier* analysier* untersuch* auswerten evaluier* erforsch* überprüfe_den prüfe_den recherchez
        fais_une_recherche fais_des_recherches faire_une_étude analysez analyser étudie étudiez compare_les comparez
        évalue évaluez enquête_sur rédige rédigez élabore élaborez investiga investigue investigar analiza analice
        analizar evalúa compara_los compara_las elabora elabore redacta redacte pesquise pesquisa_sobre pesquisar
        analise analisar avalie elaborar compare_os redija ricerca analizza analizzare indaga valuta_le valuta_i
        confronta esamina redigi fai_una_ricerca onderzoek analyseer vergelijk evalueer undersök analysera utvärdera
        jämför kartlägg undersøg analysér tutki analysoi vertaile исследуй исследуйте исследовать проанализируй*
        проанализировать изучи изучите сравни сравните составь_отчёт составь_отчет оцени оцените досліди* проаналізуй*
        порівняй* zbadaj przeanalizuj porównaj przygotuj opracuj подготовь подготовьте підготуй ermittle ermitteln
        gör_en maak_een araştır* analiz_et karşılaştır incele* hazırla teliti* analisis analisislah riset* bandingkan
        lakukan_riset nghiên_cứu phân_tích so_sánh prozkoumej analyzuj porovnej kutass elemezd ερεύνησε ανάλυσε αναλύστε
        cercetează analizează teste testez überprüfe überprüfen revisa examina проверь протестируй протестируйте перевір
        протестуй przetestuj sprawdź_wszystkie test_et testa granska prueba faça_uma_pesquisa faça_um kolla_igenom uji
        tinjau kiểm_tra_toàn erstelle_eine_studie vergleiche* prüfe* bewerte* zusammenstell* erarbeite* entwickle*
        entwirf* überwach* vérifie vérifiez réalise réalisez effectue effectuez surveille surveillez planifie conçois
        résume_les compila_una desarrolla desarrolle diseña planifica supervisa realiza realice vigila desenvolva
        planeje monitore realize verifique_todos sviluppa progetta pianifica monitora verifica_tutti valuta esegui
        ontwikkel ontwerp beoordeel controleer_alle utveckla utforma utarbeta planera udarbejd utvikle kehitä laadi
        selvitä zaprojektuj zbierz sprawdź oceń zaplanuj monitoruj vypracuj zhodnoť navrhni elemezze hasonlítsd
        dolgozz_ki întocmește compară σύγκρινε αξιολόγησε разработай* спланируй* собери соберите изучить отслеживай*
        проведи_анализ проведи_исследование сделай_обзор выяви выявите розроби* порівняти збери оціни
        проведи_дослідження geliştir tasarla değerlendir planla izle derle kembangkan rancang evaluasi pantau susun
        kumpulkan penelitian telusuri đánh_giá thu_thập lập_kế_hoạch theo_dõi xây_dựng kiểm_tra khảo_sát 调研 調研 调查
        調查 分析 收集 整理 评估 評估 总结 總結 综述 整合 梳理 对比 對比 横向比较 研究 撰写 撰寫 预测 探讨 归纳 测试
        测评 审查 审计 规划 制定 设计 重构 监控 比较 論述 论述 調べて 調べ上げ 調査 比較して 比較検討 まとめて
        レビューして 検証して 評価して テストして 監視して 조사 분석 테스트해 검토해 비교해 평가해 정리해 연구해 حلل
        تحليل ابحث قارن تحقیق_کن تحلیل بررسی مقایسه_کن تحقیق विश्लेषण शोध_कर तुलना_कर अनुसंधान अध्ययन বিশ্লেষণ গবেষণা
        তুলনা পর্যালোচনা ஆராய்ச்சி பகுப்பாய்வு ஆய்வு విశ్లేషించ పరిశోధ วิเคราะห์ วิจัย ศึกษาและ เปรียบเทียบ נתח חקור
        השווה מחקר تجزیہ تحقیق_کر ବିଶ୍ଳେଷଣ संशोधन erstelle_eine_web* baue_eine bau_eine programmier* crie_um
        crea_un_sitio crée_un_site crea_una_aplicaci* cria_um recense* audite* établis* busca_todas busca_todos monte_um""",
    # ---- what the work is about -----------------------------------------------------------------------------
    "wide_thing": """
        report reports paper papers whitepaper thesis dissertation dataset datasets codebase repository repositories
        competitor competitors competition market markets industry literature strategy roadmap framework dashboard
        presentation slides deck spreadsheet benchmark architecture infrastructure pipeline prototype application app
        website platform database schema api apis microservice microservices flows workflow workflows suite coverage
        logs debate findings itinerary campaign portfolio proposal curriculum documentation model data trends landscape
        analysis study survey vulnerabilities security features module project system backend frontend contract
        contracts tests case_studies customers_churn due_diligence swot business_plan study_notes research sources
        vendors suppliers outliers novel textbook manual handbook rulebook screenplay encyclopedia encyclopaedia
        guidebook ebook e-book memoir course archive compiler service component components extension plugin
        library bot scraper crawler game simulator interview interviews transcripts dossier memo brief comparison matrix
        requirements audit leak bug bugs jobs job endpoints endpoint ci tariffs symphony opera album musical trilogy
        lectures collection dictionary cookbook corpus tarot gateway engine interpreter parser""",
    "deliverable_abroad": """
        studie studien präsentation marketingplan geschäftsplan businessplan masterarbeit gutachten übersicht_über
        datenbank webseiten quellcode sicherheitslücken marktforschung marktstudie présentation stratégie
        étude_de_marché thèse mémoire état_de_l'art plan_d'affaires dépôt base_de_code tableau_comparatif données_de
        presentación estrategia estudio_de_mercado plan_de_negocio plan_de_marketing tesis investigación_sobre
        código_fuente repositorio base_de_datos apresentação estratégia plano_de_marketing plano_de_negócios tese
        pesquisa_de código-fonte repositório dissertação presentazione piano_di tesi studio_di ricerca_di
        codice_sorgente presentatie onderzoek_naar marktonderzoek scriptie gegevens overzicht_van marknads* uppsats
        konkurrent* avhandling analyysi raportti markkina* прогноз презентац* стратеги* исследовани* диссертац*
        бизнес-план* конкурент* рынка рынок данных репозитори* кодовой код_проекта дослідження стратегі* ринку
        prezentac* strategi* rynku konkurenc* badanie analizę danych repozytorium trhu zprávu studii elemzés jelentés
        raport_despre studiu αναφορά έκθεση έρευνα μελέτη sunum strateji* pazar piyasa veri_seti araştırması presentasi
        pasar makalah kumpulan_data repositori thị_trường chiến_lược bài_thuyết_trình luận_văn kho_mã bericht berichts
        rapport rapports informe informes relatório relatórios relazione rapporto отчёт отчет отчёта звіт raport raportu
        rapor raporu raporla laporan báo_cáo étude estudio estudo marktanalyse konkurrenzanalyse wettbewerber
        wettbewerbsanalyse concurrents competidores concorrentes concorrenti concurrenten rakipleri rakip pesaing
        đối_thủ análisis análise analisi анализ аналіз analiz datensatz codebasis code-basis jeu_de_données
        conjunto_de_datos conjunto_de_dados набор_данных literaturübersicht revue_de_littérature *analys* *analiz*
        *анализ* *аналіз* *forschung* przegląd обзор огляд dogłębn* umfassend* ausführlich* détaillé* exhausti*
        approfondi* detallad* detalhad* abrangente completa_e uitgebreid* djupgående omfattande подробн* детальн*
        kapsamlı ayrıntılı mendalam komprehensif 报告 報告 方案 计划书 策划 商业计划 论文 論文 竞争对手 競爭對手 数据集
        數據集 代码库 レポート 報告書 競合 データセット コードベース 市場 調査 戦略 提案書 計画書 リポジトリ 資料 企画書
        보고서 경쟁사 데이터셋 시장 리포트 논문 전략 저장소 코드베이스 코드를 발표 계획서 제안서 تقرير دراسة استراتيجية
        بحثا السوق سوق عرضا_تقديميا المستودع المنافسين گزارش مقاله بازار پروژه_را رقبا रिपोर्ट प्रस्तुति रणनीति समीक्षा
        बाज़ार बाजार कोडबेस डेटासेट प्रतिस्पर्ध প্রতিবেদন কৌশল বাজার পর্যালোচনা ডেটাসেট প্রতিযোগী அறிக்கை சந்தை நிரல்
        నివేదిక మార్కెట్ รายงาน กลยุทธ์ ตลาด ชุดข้อมูล คู่แข่ง דוח שוק מצגת אסטרטגיה מאגר מתחרים رپورٹ ରିପୋର୍ଟ अहवाल
        dossier étude_comparative analyse tabelle_gegenüber konzept konzeptpapier synthèse tabla_comparativa""",
    "activity": """
        research analysis testing review refactoring investigation audit auditing benchmarking migration comparison
        generation assessment evaluation monitoring planning project projects study survey modeling modelling
        diligence synthesis reporting swot landscape deep_dive migrate pentest penetration_test penetration_testing
        overhaul roadmap threat_model gap_analysis load_test load_tests stress_test feature_matrix risk_assessment
        post-mortem postmortem """,
    "small_piece": """
        poem haiku limerick joke jokes riddle story tweet caption email e-mail letter sentence paragraph word words
        slogan toast message note song lyrics recipe recipes text reply regex tip tips advice fact facts quote idea
        ideas title_for headline motto apology invitation thank-you pun anagram reminder out-of-office
        thank-you_note""",
    "deep_manner": """
        comprehensive comprehensively in-depth in_depth thorough thoroughly exhaustive exhaustively extensive
        extensively systematic systematically rigorous deep-dive deep_dive end-to-end end_to_end full-scale
        full-length multi-step multi-day detailed holistic extensively_researched peer-reviewed well-sourced
        with_sources structured with_references citations cite cites step_by_step_plan literature_review all_aspects
        from_scratch""",
    "light_manner": """
        quick quickly brief briefly short simple simply tldr tl;dr one-line one-liner easy in_one_sentence
        in_a_sentence in_a_few_words in_short in_simple_terms like_i'm_five eli5 one_word in_two_sentences
        at_a_glance faq
        data_lookup data_lookups form_filling""",
    "scope": """
        all every each entire whole across various multiple several global worldwide international domestic overall both
        different simultaneously respectively top alle sämtliche gesamte todos todas todo_el toda_la tous toutes tout_le
        tutti tutte все всех всі wszystkie alla tüm todos_los todas_las bütün semua seluruh tất_cả toàn_bộ 所有 全部
        各国 各类 全面 すべて 全て 모든 전체 كل جميع सभी সব அனைத்து ทั้งหมด כל_ה همه""",
    "time_span": """
        recent recently latest current emerging future trend trends trending progress advancements developments
        development evolution history historical outlook prospects decade decades past_years coming_years
        state-of-the-art cutting-edge next_decade 近年 近几年 未来 趋势 现状 发展 发展史 演变 前景 历代 目前 最新
        将来 過去 将来性 動向 최근 동향 전망 추세""",
    "relation": """
        impact impacts influence influences effect effects role implications relationship relationships correlation
        factors drivers causes mechanism mechanisms differences connections advantages challenges opportunities risks
        feasibility effectiveness approaches methods strategies techniques solutions criteria trade-offs tradeoffs
        policy policies theories theory perspectives dimensions aspects considerations key adapt adoption enhance ensure
        achieve mitigate regulation barriers consequences outcomes hypotheses competing viability viable demand supply
        weigh innovation transformation governance stakeholders resilience inequality evidence cope 影响 影響 关系 机制
        因素 策略 方法 路径 模式 特点 特色 差异 领域 体系 路线 技术 行业 产业 市场 政策 理论 评价 维度 如何 应对 对策
        矛盾 障碍 困境 方案 背景 结构 供需 进展 企业 社会 国家 经济 教育 文化 有何 怎样 可能性 维护 优化 提升 构建 应用
        創新 创新 算法 建模 量化 対策 課題 explanations explain_the success determine determines learned extent adapting
        adapted affect affects affected shape shapes shaped differ differs evidence_say burden prevalence benefits
        drawbacks pros_and_cons implication lessons debate debates limitations legacy origins decline rise transition
        integration prevention regulate regulating reform reforms incentives fertility geopolitics conséquences effets
        répercussions politiques facteurs enjeux auswirkungen folgen einfluss ursachen lösungen herausforderungen
        efectos impacto consecuencias factores políticas retos desafíos impactos efeitos fatores desafios effetti
        impatto cause_e conseguenze effective effectively explains drives drove reshape reshaped reshaping reduce
        reduces slowed regional markets public labour labor countries societies economies cities communities households
        uptake populations expected emissions carbon female productivity growth patients resistance livestock migration
        eradicated abolition tariffs workers hospitals regulated pricing ageing aging housing affordability wealth
        pension pensions democracy political literacy poverty media regions arguments long-run long-term outcome
        attitudes sector sectors firms investors sanctions recover recovery scholarship survive funding
        interventions therapy veterans peace agreements exports oil_exports spread farming bans litter professionalized
        clusters succeed lose_its modernization modernisation""",
    "scholar": """
        academic scholarly journal journals articles paper papers hypothesis methodology empirical literature citations
        references theoretical interdisciplinary cognitive socioeconomic macroeconomic geopolitical neural quantum
        reinforcement_learning machine_learning artificial_intelligence optimization algorithms algorithm controllers
        controller industry sector stakeholders investment investments governments pathology clinical genome
        semiconductor sustainability migration patients disease economic economy societal interpersonal 学者 学界 学术
        文献 论著 课题 选题 研究 科研 实证 trade tariffs mergers firms companies startups incomes wages employment
        unemployment productivity poverty refugees migrants immigrants farmers farming agriculture fisheries schools
        teaching teachers education universities hospitals healthcare pandemics elections voters democracy democracies
        legislation zoning reform housing rents tenants homelessness crime prisons policing energy solar cement steel
        emissions decarbonise decarbonize climate biodiversity deforestation recession recessions monetary fiscal
        subsidies welfare pensions fertility ageing households consumers retailers supply_chains newsrooms journalism
        misinformation generative automation urban rural certification gender colonialism labour unions charges
        communities""",
    # ---- data ----------------------------------------------------------------------------------------------
    "table_word": """
        dataset column columns row rows csv dataframe pandas sklearn scikit-learn scipy numpy xlsx parquet sql variable
        variables missing_values null_values outlier outliers z-score histogram boxplot spreadsheet 数据集 数据
        attached_data attached_file attached_table attached_sheet attached_survey records entries pivot survey_data
        data_set missing_value duplicate_rows readings sensor sensors measurements observations sheet customers revenue
        deals quarter churn bookings conversion signups segment segments cohort cohorts subscribers respondents
        salesperson customer_segment campaigns""",
    "statistics": """
        mean median deviation correlation coefficient pearson spearman regression variance skewness kurtosis p-value
        significance distribution quartile iqr anova t-test chi-square normalize normalized normalization
        standardize classifier rmse mse mae r-squared clustering hypothesis random_forest train testing_set test_set
        feature_engineering machine_learning shapiro-wilk outlier outliers percentile percentage average_of decimal
        average averages averaged correlated correlate correlations anomalies anomaly significant significantly
        statistically normal_distribution linear_relationship standard_deviation quartiles interquartile percent_of
        group_by per_region by_region per_category by_category by_month per_month by_year by_plan percentage_of
        ratio cohort trendline seasonal seasonality histogram scatter total_number residuals normally_distributed
        churn_rate anomalies_in logistic_regression linear_regression predictor predictors predict predicted
        fit_a_model treatment control_group proportion fraction decline 95th strongly_correlated year-over-year
        differ_significantly standard_error confidence_interval""",
    # ---- code ----------------------------------------------------------------------------------------------
    "follow_up": """
        test compare use compute calculate discuss weigh cover cite plot argue justify rank score quantify estimate fit
        model assess analyze analyse evaluate""",
    "trouble": """
        bug bugs error errors exception traceback broken wrong regression raises raised throws ignored ignores
        segfault deadlock undefined deprecated deprecation reproducible stacktrace nonexistent wrongly misses
        missing loses lost drops dropped unclear freezes stuck incompatible unreadable unstable unreachable mismatch
        silently violates unable malformed stale misaligned unnecessary unhandled nondeterministic deadlocks breaks
        breaking outdated unused cut_off disappears disappear even_if even_when unescaped overwritten overwrites
        garbage slow flaky deprecates unable_to trailing race_condition unexpected* incorrect* inconsisten* invalid*
        typos typo issues issue off_by_one expired misspell* mislead* doubles crash* hang* leak* fail* overlap*
        truncat* redundan* corrupt* flicker* jitter* laggy lag illegal unrecognized duplicat* stops forgets mixes
        blank keeps nothing_happens support_for""",
    "errand": """
        play pause resume stop skip turn dim text message call dial ring roll flip toss take rent wake talk speak
        suggest recommend see pay split say count name read sing repeat let come hand tell remind bring drive reset
        wait guess pick choose imagine pretend""",
    "talk": """
        the it it's that that's this there there's he she they nobody everybody everyone someone something nothing
        people life money love""",
    "compose": """
        write draft compose create make give generate tell send suggest rewrite improve shorten reply prepare add find look""",
    "wish": """
        allow support expose deprecate ensure avoid prevent handle respect disallow option ability possibility cannot unable""",
    "circumstance": """
        when after while if until before since unless although without during despite once automatically by_default
        instead not never always still sometimes randomly twice cannot can't don't doesn't won't isn't no_longer should
        must_be too_many even every_time""",
    "code_word": """
        class import dict string null none object objects component prop props onclick css html xml backend frontend
        build docker linux macos browser viewer log python javascript typescript django flask numpy pandas pytest sphinx
        matplotlib sympy setting settings cli command server client url api patch commit migration migrations docs
        autodoc loop loader namespace axes axis printer lambdify field fields form admin int int64 dataframe dataframes
        series estimator estimators sparse matrix indices cors auth login modal firefox safari chrome android ios
        postgres mysql sqlite sql orm race_condition memory interpreter linker macro macros literal literals operator
        operand operands classmethod staticmethod struct imports package packages pip toml csv logging stderr stdout
        shell exit_code upload uploads uri tls ssl graphql grpc nan tag tags node nodes variable variables variance type
        types returns return newline newlines whitespace svg canvas dom screen_reader pickle unpickle parsing toctree
        crossref scipy fastapi react vue angular node.js helm terraform ansible redis kafka nginx apache_arrow parquet
        utf-8 bom c++ rust golang java kotlin swift sdk daemon scheduler worker workers job jobs globals autocomplete
        autoscaled antialiased warning warnings interface interfaces environment_variable environment_variables format
        formats link links test tests queries backslash backslashes f-string f-strings retries health_check platform
        platforms 32-bit 64-bit markdown latex pdf page pages error_message identifier identifiers private_members
        decimal division empty pool deepcopy invalidation reload dialog dialogs keyword recursion recursive
        duplicate_key column_name primary_key foreign_key constraint index_error key_error type_hints hint hints
        coverage nested singular translation plural datepicker date_picker picker menu menus navbar icon icons jquery
        monolith subcommand subcommands dead_code uuid app service services scripts script python2 python3 xarray
        sklearn astropy seaborn pylint dropdown* button* widget* toolbar* sidebar* tooltip* popup* checkbox* scroll*
        render* layout* viewport* stylesheet* typed* annotat* nesting lexer* parse* token* syntax* compil* runtime*
        closure* lambda* fixture* teardown* tear-down setup assertion* mock* unittest* testcase* colorbar* legend*
        subplot* tick_label* histogram* heatmap* colormap* rounding function* method* param* argument* kwarg* callable*
        decorat* classes subclass* metaclass* superclass* instance* attribut* propert* constructor* inherit* overrid*
        overload* config* option* flag* default* environment_variable* query* join* schema* rollback* deadlock* upsert*
        document* typo* readme* changelog* docstring* retry* timeout* backoff* throttl* rate_limit* websocket* socket*
        http* request* response* header* cookie* proxy* redirect* endpoint* payload* webhook* certificate* async* await*
        coroutine* thread* mutex* semaphore* concurren* encod* decod* unicode* ascii* charset* byte* base64 serializ*
        deserializ* json* yaml* regex* exception* traceback* segfault* overflow* underflow* off-by-one array* tensor*
        vector* dtype* float* integer* boolean* tuple* iterator* iterab* generator* generics enum* structs pointer*
        buffer* queue* stack* heap* cache* caching hash hashes hashing plugin* extension* module* dependenc* imported
        importing version* deprecat* backport* makefile* dockerfile* kubernet* pipeline* lint* formatter* template*
        placeholder* locale* timezone* timestamp* datetime* logout* authent* authoriz* oauth* session* permission*
        debug* logger* filename* filesystem* symlink* directory directories shortcut* keyboard* keybinding* hotkey*
        clipboard* drag-and-drop webkit webpack* npm conda ubuntu accessor* getter* setter* callback* listener* hook*
        middleware* router* implementation* implements init initializ* finaliz* instantiat* placement orientation align*
        padding margin* de-duplicate dedup* behavior* behaviour* wildcard* stub stubs stream* color_output license_key
        thread_pool modals focus focused accented handler* interrupt* signal* process* subprocess* container* cluster*
        replica* shard* partition* index* lookup_table cursor* transaction_log benchmark* transpil* bundl* minif*
        polyfill* animation* transition* gradient* opacity pixel* resolution* crop* thumbnail* tab tabs panel* pane
        panes window* resiz* zoom* hover* click* mouse* touch* gesture* submit* validat* sanitiz* escap* inject* xss
        csrf vulnerab* loc bbox anchor* inset* gallery label* plot plots marker* colour_map output* input* stdin""",
    # ---- sites ---------------------------------------------------------------------------------------------
    "site_thing": """
        repo repos repository repositories subreddit subreddits forum forums thread threads submission submissions
        upvote merge_request merge_requests pull_request issue issues milestone milestones branch branches commit
        commits readme license gitignore gitlab github bitbucket reddit wiki collaborator collaborators maintainer
        maintainers developer developers contributor contributors reporter guest member members assignee wishlist
        wish_list cart shopping_cart checkout product products item items sku stock inventory catalog category price
        prices discount coupon voucher promo order orders order_id customer customers review reviews reviewer refund
        invoice shipment shipping newsletter address storefront store shop size sizes variant variants sale seller
        admin page pages title description sidebar tab tabs site website webpage folder file post posts comment
        comments bio profile username users follower followers project projects template dashboard ticket tickets
        board column label labels form field map route stars rating ratings nickname jira confluence slack notion
        trello salesforce hubspot shopify magento wordpress airtable zendesk linkedin twitter facebook instagram
        youtube amazon ebay warenkorb wunschliste bestellung panier commande carrito pedido carrinho carrello ordine
        winkelwagen корзину 购物车 订单 仓库 カート 注文 장바구니""",
    # ---- everyday ------------------------------------------------------------------------------------------
    "everyday": """
        alarm alarms timer timers reminder reminders remind weather temperature forecast_for rain snow umbrella
        what_time timezone day_is today tomorrow tonight weekend noon midnight o'clock yesterday morning afternoon
        playlist song songs music play jazz podcast volume radio lights light lamp thermostat tv microwave oven
        vacuum phone call text ringer whisper mute balance bank banking account accounts checking_account savings
        card cards visa mastercard pin atm bill bills rent mortgage payment pay paycheck payday salary income wage
        w2 w-2 401k tax taxes apr interest credit debit loan routing deposit transfer transaction transactions spend
        spent fraud cheque withdraw insurance pto vacation holiday leave flight flights airline airlines airport
        luggage baggage carry-on passport travel trip hotel reservation reservations restaurant restaurants dinner
        lunch breakfast meal meals eat food drink cook cooking bake recipe recipes ingredient ingredients calories
        nutrition butter eggs pizza burger sandwich chicken pasta soup grocery groceries shopping_list grocery_list
        to-do todo to_do to-do_list todo_list to_do_list calendar event events appointment meeting schedule car tire
        tires oil gas fuel mpg mileage engine traffic directions uber taxi bus train_station gps joke coin dice
        heads tails my_name your_name hobbies accent speak exchange_rate dollars bucks euros miles
        kilometers gallons cups ounces kilos pounds inches feet weigh height shots vaccination vaccine dentist
        doctor headache sick birthday mom dad wife husband son daughter friend dog cat kids sister brother boss lost
        broke plug socket adapter jeans shirt order_status delivery application_status pin_number password
        customer_service customer_support phone_number hotline refund_policy receipt wecker wetter uhrzeit erinnere
        réveil météo heure alarma tiempo_hace clima hora tempo ora wekker weer погода будильник погоду väder
        hava_durumu cuaca 天气 天氣 闹钟 提醒 几点 天気 何時 날씨 알람 몇_시 طقس मौसम gestern heute morgen
        aujourd'hui demain ayer hoy mañana ontem hoje amanhã ieri oggi domani вчера сегодня завтра вчора сьогодні
        dün bugün yarın kemarin hari_ini besok 昨天 今天 明天 昨日 今日 明日 어제 오늘 내일 أمس اليوم आज कल
        パスワード ログイン kennwort passwort mot_de_passe contraseña senha""",
    "self_talk": """
        you you're your yours yourself u i_like i_love i_do i_play i_hate i_feel we_are chatbot robot robots dich
        dir dein deine deinen tu te toi ton tes vous votre tú tu_eres você seu sua teu tua ti tuo jij je jouw ты
        тебе тебя твой твоя твое вас вы ти тобі твій sen seni senin kamu anda kau min din dig ditt tum tumhara aap
        你 您 あなた 君は 너 당신 أنت تو तुम आप তুমি আপনি நீங்கள் మీరు คุณ אתה את_ ତୁମେ ଆପଣ तू bist_du hast_du
        kannst_du magst_du du_bist machst_du weißt_du willst_du glaubst_du du_hast du_kannst heißt_du liebst_du
        denkst_du wohnst_du isst_du trinkst_du lebst_du kennst_du verstehst_du fühlst_du du_dich du_mich er_du är_du
        har_du kan_du gillar_du spielst_du liest_du arbeitest_du sprichst_du lügst_du hvad_du kommst_du du_ein
        du_eine du_auch du_nicht du_so du_mir""",
    # ---- endurance -------------------------------------------------------------------------------
    "endurance": """
        autonomous autonomously continuous continuously daily weekly hourly every_day every_hour multi-day
        for_a_week for_days several_days over_the_next_week over_the_next_days around_the_clock overnight
        long-running recurring periodically until_done work_autonomously report_progress in_parallel keep_watching
        keep_monitoring keep_checking keep_an_eye continually constantly per_day every_week every_morning all_week
        whenever as_soon_as nightly twice_a_day each_morning each_evening each_day each_week every_evening
        every_few_hours every_monday each_monday each_friday every_friday for_a_month for_two_weeks poll polling
        keep_me_posted keep_me_updated jede_woche jeden_tag täglich wöchentlich chaque_jour chaque_semaine cada_día
        cada_semana todos_os_dias ogni_giorno ежедневно 毎日 毎週 每天 每周 매일 매주""",
}
